// Feeds bytes to a ResponseParser in chosen pieces and collects what comes out. Used by the tests of http.

import type { ResponseError } from "../../src/http/response-error.js";
import { ResponseParser } from "../../src/http/response-parser.js";

export interface ReadResponse {
	readonly error: ResponseError | undefined;
	readonly isDone: boolean;
	readonly isKeepAlive: boolean;
	readonly status: number;
	readonly headCount: number;
	readonly headers: readonly (string | undefined)[];
	readonly body: string;
}

export interface ReadOptions {
	/** Bytes a piece, repeated in turn; default: all in one. */
	readonly pieces?: readonly number[];
	readonly maxBodyBytes?: number;
	readonly headerNames?: readonly string[];
}

export function latin1(text: string): Uint8Array {
	return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export const OK = "HTTP/1.1 200 OK\r\n";

/** A 200 with these headers, up to its body. */
export function headOf(...lines: string[]): string {
	return `${OK}${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
}

export function repeatLine(count: number, line: (index: number) => string): string[] {
	return Array.from({ length: count }, (_, index) => line(index));
}

export function readResponse(input: string | Uint8Array, options: ReadOptions = {}): ReadResponse {
	const bytes = typeof input === "string" ? latin1(input) : input;
	const headerNames = options.headerNames ?? ["content-type", "x-mac"];
	let body = "";
	let headCount = 0;
	const parser = new ResponseParser({
		headerNames,
		onHead: () => {
			headCount += 1;
		},
		onBody: (buffer, offset, byteCount) => {
			body += String.fromCharCode(...buffer.subarray(offset, offset + byteCount));
		},
	});
	parser.begin(options.maxBodyBytes ?? 65_536);
	const pieces = options.pieces ?? [];
	let error: ResponseError | undefined;
	// Each piece lies at another offset of a larger buffer, as in the client's receive buffer.
	const window = new Uint8Array(bytes.length + 8);
	for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
		const pieceBytes = Math.max(1, pieces[turn % pieces.length] ?? bytes.length);
		const piece = bytes.subarray(at, at + pieceBytes);
		window.fill(0xff).set(piece, turn % 8);
		error = parser.feed(window, turn % 8, piece.length);
		at += pieceBytes;
	}
	return {
		error,
		isDone: parser.isDone,
		isKeepAlive: parser.isKeepAlive,
		status: parser.status,
		headCount,
		headers: headerNames.map((name) => parser.header(name)),
		body,
	};
}
