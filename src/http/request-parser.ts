// Reads one HTTP/1.1 request, in any split, strictly, within fixed memory. Called by the push server's connection. It
// must not know sockets, time, or what is asked for. Follows RFC 9112, and refuses what that leaves to the reader's
// kindness: one request a connection, Content-Length or no body, a path as target, no other form.

import { asciiText, isVisibleByte } from "./ascii.js";
import { HeaderBlock } from "./header-block.js";
import {
	MAX_METHOD_BYTES,
	MAX_REQUEST_LINE_BYTES,
	MAX_REQUEST_VALUES_BYTES,
	MAX_TARGET_BYTES,
} from "./limits.js";
import type { Refusal } from "./refusal.js";

export interface RequestParserOptions {
	/** Headers whose values may be asked for, lower-case. "host" and "expect" are kept in any case. */
	readonly headerNames: readonly string[];
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const SLASH = 0x2f;
const HASH = 0x23;
const VERSION = "HTTP/1.1";
const MINOR_AT = 7;

const METHOD = 0;
const TARGET = 1;
const PROTOCOL = 2;
const LINE_END = 3;
const HEADERS = 4;
const BODY = 5;
const DONE = 6;

export class RequestParser {
	readonly #headers: HeaderBlock;
	readonly #method = new Uint8Array(MAX_METHOD_BYTES);
	readonly #target = new Uint8Array(MAX_TARGET_BYTES);
	#place = METHOD;
	#lineBytes = 0;
	#methodBytes = 0;
	#targetBytes = 0;
	#protocolBytes = 0;
	#leftBytes = 0;
	#error: Refusal | undefined;

	constructor(options: RequestParserOptions) {
		this.#headers = new HeaderBlock({
			names: ["host", "expect", ...options.headerNames],
			valuesMaxBytes: MAX_REQUEST_VALUES_BYTES,
		});
	}

	/** Whatever came is refused; the rest of the connection has no meaning. */
	get error(): Refusal | undefined {
		return this.#error;
	}

	/** The head is complete and accepted: what follows holds. */
	get isHeadComplete(): boolean {
		return this.#place >= BODY && this.#error === undefined;
	}

	/** All announced bytes of the body were taken. */
	get isDone(): boolean {
		return this.#place === DONE && this.#error === undefined;
	}

	get method(): string {
		return asciiText(this.#method, 0, this.#methodBytes);
	}

	/** Path and query as they were sent. */
	get target(): string {
		return asciiText(this.#target, 0, this.#targetBytes);
	}

	/** Undefined: none was announced, so there is no body. */
	get contentLengthBytes(): number | undefined {
		return this.#headers.contentLengthBytes;
	}

	/** Bytes of the body that are still to come. */
	get leftBytes(): number {
		return this.#leftBytes;
	}

	/** The client waits for a 100 before it sends the body: RFC 9110 §10.1.1. */
	get expectsContinue(): boolean {
		return this.#headers.value("expect")?.toLowerCase() === "100-continue";
	}

	header(name: string): string | undefined {
		return this.isHeadComplete ? this.#headers.value(name) : undefined;
	}

	/** Takes bytes up to the end of the head at most and returns how many; look at `error` and `isHeadComplete` then. */
	feedHead(buffer: Uint8Array, offset: number, byteCount: number): number {
		const end = offset + byteCount;
		let at = offset;
		while (at < end && this.#place < BODY && this.#error === undefined) {
			if (this.#place === HEADERS) {
				at = this.#headers.feed(buffer, at, end);
				this.#error = this.#headers.error;
				if (this.#headers.isComplete) this.#endHead();
			} else {
				this.#error = this.#takeLine(buffer[at] ?? 0);
				at += 1;
			}
		}
		return at - offset;
	}

	/** Counts bytes of the body, which stay where they are. False: more than were announced; none of them counts then. */
	takeBody(byteCount: number): boolean {
		if (byteCount > this.#leftBytes) {
			this.#error = "over-delivery";
			return false;
		}
		this.#leftBytes -= byteCount;
		if (this.#leftBytes === 0) this.#place = DONE;
		return true;
	}

	#endHead(): void {
		this.#leftBytes = this.#headers.contentLengthBytes ?? 0;
		this.#place = this.#leftBytes === 0 ? DONE : BODY;
		if (this.#headers.value("host") === undefined) this.#error = "missing-host";
	}

	#takeLine(byte: number): Refusal | undefined {
		this.#lineBytes += 1;
		if (this.#lineBytes > MAX_REQUEST_LINE_BYTES) return "request-line-too-long";
		switch (this.#place) {
			case METHOD:
				return this.#takeMethod(byte);
			case TARGET:
				return this.#takeTarget(byte);
			case PROTOCOL:
				return this.#takeProtocol(byte);
			default:
				this.#place = HEADERS;
				return byte === LF ? undefined : "bad-line-end";
		}
	}

	#takeMethod(byte: number): Refusal | undefined {
		if (byte === SPACE && this.#methodBytes > 0) {
			this.#place = TARGET;
			return undefined;
		}
		// Methods are case-sensitive; all that exist are upper-case letters: RFC 9110 §9.1.
		if (byte < 0x41 || byte > 0x5a) return "bad-request-line";
		if (this.#methodBytes === MAX_METHOD_BYTES) return "request-line-too-long";
		this.#method[this.#methodBytes] = byte;
		this.#methodBytes += 1;
		return undefined;
	}

	#takeTarget(byte: number): Refusal | undefined {
		if (byte === SPACE && this.#targetBytes > 0) {
			this.#place = PROTOCOL;
			return undefined;
		}
		if (!isVisibleByte(byte) || byte === HASH) return "bad-request-line";
		if (this.#targetBytes === 0 && byte !== SLASH) return "bad-request-line";
		if (this.#targetBytes === MAX_TARGET_BYTES) return "request-line-too-long";
		this.#target[this.#targetBytes] = byte;
		this.#targetBytes += 1;
		return undefined;
	}

	#takeProtocol(byte: number): Refusal | undefined {
		const at = this.#protocolBytes;
		this.#protocolBytes += 1;
		if (at === VERSION.length) {
			if (byte !== CR) return byte === LF ? "bad-line-end" : "bad-request-line";
			this.#place = LINE_END;
			return undefined;
		}
		if (byte === VERSION.charCodeAt(at)) return undefined;
		const isOtherVersion = (at === MINOR_AT || at === MINOR_AT - 2) && byte >= 0x30 && byte <= 0x39;
		return isOtherVersion ? "unsupported-version" : "bad-request-line";
	}
}
