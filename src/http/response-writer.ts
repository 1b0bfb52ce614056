// Writes the head of an HTTP/1.1 response into a buffer that the caller owns. Called by the push server's connection. It
// must not know sockets, nor what is answered. The body follows the head unchanged; the connection closes behind it.

import { consistsOf, isTokenByte, isVisibleByte } from "./ascii.js";
import type { HttpHeader } from "./request-writer.js";

export interface ResponseHead {
	/** 200 to 599. */
	readonly status: number;
	readonly headers?: readonly HttpHeader[] | undefined;
	readonly contentLengthBytes: number;
}

/** What is sent to a client that waits with its body. */
export const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";

const SPACE = 0x20;

/** Of the statuses that are used. A reason is for people only; others have none. */
const REASONS: Readonly<Record<number, string>> = {
	200: "OK",
	400: "Bad Request",
	401: "Unauthorized",
	404: "Not Found",
	405: "Method Not Allowed",
	408: "Request Timeout",
	409: "Conflict",
	411: "Length Required",
	417: "Expectation Failed",
	422: "Unprocessable Content",
	431: "Request Header Fields Too Large",
	500: "Internal Server Error",
	503: "Service Unavailable",
};

/** Set by the writer, or able to change where the message ends. */
const RESERVED_NAMES: readonly string[] = ["content-length", "transfer-encoding", "connection"];

/**
 * The number of bytes written to the start of `buffer`; undefined for a head that would not be one, or does not fit: a
 * mistake of the caller.
 */
export function writeResponseHead(buffer: Uint8Array, head: ResponseHead): number | undefined {
	const { status, headers = [], contentLengthBytes } = head;
	if (!Number.isInteger(status) || status < 200 || status > 599) return undefined;
	if (!Number.isSafeInteger(contentLengthBytes) || contentLengthBytes < 0) return undefined;
	if (!headers.every(isHarmless)) return undefined;
	let at = putText(buffer, 0, `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`);
	for (const { name, value } of headers) at = putText(buffer, at, `${name}: ${value}\r\n`);
	at = putText(buffer, at, `Content-Length: ${contentLengthBytes}\r\nConnection: close\r\n\r\n`);
	return at > buffer.length ? undefined : at;
}

// Threat: a line break in a value would begin another header, or another response.
function isHarmless({ name, value }: HttpHeader): boolean {
	if (name.length === 0 || !consistsOf(name, isTokenByte)) return false;
	if (!consistsOf(value, (byte) => isVisibleByte(byte) || byte === SPACE)) return false;
	return !RESERVED_NAMES.includes(name.toLowerCase());
}

/** Goes on counting past the end, where a typed array takes no more, so that one check at the end will do. */
function putText(buffer: Uint8Array, offset: number, text: string): number {
	for (let at = 0; at < text.length; at += 1) buffer[offset + at] = text.charCodeAt(at);
	return offset + text.length;
}
