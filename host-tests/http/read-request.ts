// Feeds bytes to a RequestParser in chosen pieces and collects what comes out. Used by the tests of http.

import type { Refusal } from "../../src/http/refusal.js";
import { RequestParser } from "../../src/http/request-parser.js";
import { latin1 } from "./read-response.js";

export interface ReadRequest {
	readonly error: Refusal | undefined;
	readonly isHeadComplete: boolean;
	readonly isDone: boolean;
	readonly method: string;
	readonly target: string;
	readonly contentLengthBytes: number | undefined;
	readonly expectsContinue: boolean;
	readonly headers: readonly (string | undefined)[];
	readonly body: string;
}

export const HEADER_NAMES = ["authorization", "fota-release"];

/** `pieces`: bytes a piece, repeated in turn; default: all in one. */
export function readRequest(input: string | Uint8Array, pieces: readonly number[] = []): ReadRequest {
	const bytes = typeof input === "string" ? latin1(input) : input;
	const parser = new RequestParser({ headerNames: HEADER_NAMES });
	// Each piece lies at another offset of a larger buffer, as in a receive buffer.
	const window = new Uint8Array(bytes.length + 8);
	let body = "";
	for (let at = 0, turn = 0; at < bytes.length && parser.error === undefined; turn += 1) {
		const piece = bytes.subarray(at, at + Math.max(1, pieces[turn % pieces.length] ?? bytes.length));
		const start = turn % 8;
		window.fill(0xff).set(piece, start);
		const taken = parser.isHeadComplete ? 0 : parser.feedHead(window, start, piece.length);
		const rest = piece.subarray(taken);
		if (parser.isHeadComplete && rest.length > 0 && parser.takeBody(rest.length))
			body += String.fromCharCode(...rest);
		at += piece.length;
	}
	return {
		error: parser.error,
		isHeadComplete: parser.isHeadComplete,
		isDone: parser.isDone,
		method: parser.isHeadComplete ? parser.method : "",
		target: parser.isHeadComplete ? parser.target : "",
		contentLengthBytes: parser.contentLengthBytes,
		expectsContinue: parser.isHeadComplete && parser.expectsContinue,
		headers: HEADER_NAMES.map((name) => parser.header(name)),
		body,
	};
}
