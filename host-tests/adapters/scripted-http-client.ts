// HttpClient that answers when a test says so, from a script, keeping the promises of http-client.ts: done once, last,
// later; busy while one is under way; a body beyond its limit never arrives.

import type { HttpClient, HttpErrorCode, HttpRequest } from "../../src/adapters/http-client.js";

export interface Reply {
	readonly status: number;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: Uint8Array;
	/** Bytes handed over at a time. Default: all. */
	readonly pieceBytes?: number;
	/** What goes wrong after the body. */
	readonly failure?: HttpErrorCode;
}

export type Script = (request: HttpRequest) => Reply | HttpErrorCode;

export class ScriptedHttpClient implements HttpClient {
	readonly requests: HttpRequest[] = [];
	readonly #script: Script;
	#current: HttpRequest | undefined;
	#refused: HttpRequest[] = [];
	#end: "cancelled" | "closed" | undefined;
	isClosed = false;

	constructor(script: Script) {
		this.#script = script;
	}

	request(request: HttpRequest): void {
		if (this.#current !== undefined || this.isClosed) {
			this.#refused.push(request);
			return;
		}
		this.requests.push(request);
		this.#current = request;
		this.#end = undefined;
	}

	cancel(): void {
		this.#end = "cancelled";
	}

	close(): void {
		this.isClosed = true;
		this.#end = "closed";
	}

	/** The event loop: answers what was asked, and what the answers make the caller ask. */
	run(): void {
		while (this.#current !== undefined || this.#refused.length > 0) {
			for (const request of this.#refused.splice(0))
				request.onDone({ code: this.isClosed ? "closed" : "busy" });
			const request = this.#current;
			if (request === undefined) continue;
			const failure = this.#end ?? this.#answer(request);
			this.#current = undefined;
			request.onDone(failure === undefined ? undefined : { code: failure });
		}
	}

	#answer(request: HttpRequest): HttpErrorCode | undefined {
		const reply = this.#script(request);
		if (typeof reply === "string") return reply;
		const body = reply.body ?? new Uint8Array();
		if (body.length > request.maxBodyBytes) return "body-too-large";
		if (request.onHead?.(reply.status, (name) => reply.headers?.[name]) === false) return "cancelled";
		const pieceBytes = reply.pieceBytes ?? Math.max(body.length, 1);
		// From a larger buffer at an odd place, as a socket's would be.
		const buffer = new Uint8Array(pieceBytes + 7);
		for (let at = 0; at < body.length; at += pieceBytes) {
			const piece = body.subarray(at, at + pieceBytes);
			buffer.set(piece, 5);
			if (request.onBody?.(buffer, 5, piece.length) === false) return "cancelled";
			buffer.fill(0xaa);
		}
		return reply.failure;
	}
}
