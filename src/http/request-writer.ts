// Writes the head of an HTTP/1.1 request into a buffer that the caller owns. Called by the HTTP client.
// It must not know sockets, nor what the request is for. The body follows the head unchanged.

import { consistsOf, isTokenByte, isVisibleByte } from "./ascii.js";
import type { RequestError } from "./request-error.js";

export type HttpMethod = "GET" | "POST" | "PUT";

export interface HttpHeader {
	/** A token; its case is kept. */
	readonly name: string;
	/** Printable ASCII, without blanks at either end. */
	readonly value: string;
}

export interface RequestHead {
	readonly method: HttpMethod;
	/** Path with query: begins with "/", visible ASCII, no fragment. */
	readonly path: string;
	/** Host header: name or address, with the port where it is not 80. */
	readonly host: string;
	readonly headers?: readonly HttpHeader[] | undefined;
	/** Undefined: no Content-Length, as for a GET. */
	readonly contentLengthBytes?: number | undefined;
}

const HASH = 0x23;
const SPACE = 0x20;

/** Set by the writer, or able to change where the message ends or who may answer: not for the caller. */
const RESERVED_NAMES = [
	"host",
	"content-length",
	"transfer-encoding",
	"connection",
	"keep-alive",
	"upgrade",
	"expect",
	"te",
	"trailer",
] as const;

/** The number of bytes written to the start of `buffer`, or what is wrong. Never throws. */
export function writeRequestHead(buffer: Uint8Array, head: RequestHead): number | RequestError {
	const error = findError(head);
	if (error !== undefined) return error;
	let at = putText(buffer, 0, head.method);
	at = putText(buffer, at, " ");
	at = putText(buffer, at, head.path);
	at = putText(buffer, at, " HTTP/1.1\r\n");
	at = putHeader(buffer, at, "Host", head.host);
	if (head.contentLengthBytes !== undefined) {
		at = putHeader(buffer, at, "Content-Length", String(head.contentLengthBytes));
	}
	for (const header of head.headers ?? []) at = putHeader(buffer, at, header.name, header.value);
	at = putText(buffer, at, "\r\n");
	return at > buffer.length ? "request-too-long" : at;
}

function findError(head: RequestHead): RequestError | undefined {
	if (head.method === undefined || head.method.length === 0 || !consistsOf(head.method, isUpperByte))
		return "bad-method";
	if (head.path.charCodeAt(0) !== 0x2f || !consistsOf(head.path, isPathByte)) return "bad-path";
	if (head.host.length === 0 || !consistsOf(head.host, isVisibleByte)) return "bad-host";
	const length = head.contentLengthBytes;
	if (length !== undefined && (!Number.isSafeInteger(length) || length < 0)) return "bad-body-length";
	for (const header of head.headers ?? []) {
		const error = findHeaderError(header);
		if (error !== undefined) return error;
	}
	return undefined;
}

function findHeaderError({ name, value }: HttpHeader): RequestError | undefined {
	if (name.length === 0 || !consistsOf(name, isTokenByte)) return "bad-request-header";
	if (!consistsOf(value, isPrintableByte)) return "bad-request-header";
	if (value.startsWith(" ") || value.endsWith(" ")) return "bad-request-header";
	const lowerName = name.toLowerCase();
	return RESERVED_NAMES.some((reserved) => reserved === lowerName) ? "reserved-header" : undefined;
}

function isUpperByte(byte: number): boolean {
	return byte >= 0x41 && byte <= 0x5a;
}

function isPathByte(byte: number): boolean {
	return isVisibleByte(byte) && byte !== HASH;
}

function isPrintableByte(byte: number): boolean {
	return isVisibleByte(byte) || byte === SPACE;
}

function putHeader(buffer: Uint8Array, offset: number, name: string, value: string): number {
	let at = putText(buffer, offset, name);
	at = putText(buffer, at, ": ");
	at = putText(buffer, at, value);
	return putText(buffer, at, "\r\n");
}

/** Goes on counting past the end, where a typed array takes no more, so that one check at the end will do. */
function putText(buffer: Uint8Array, offset: number, text: string): number {
	for (let at = 0; at < text.length; at += 1) buffer[offset + at] = text.charCodeAt(at);
	return offset + text.length;
}
