// Reads one HTTP/1.1 response, in any split, strictly, within fixed memory. Called by the HTTP client, which
// does not pipeline. It must not know sockets, time, or what the response is for.
// Follows RFC 9112, and refuses what that leaves to the reader's kindness.

import { isDigitByte, isTextByte } from "./ascii.js";
import { HeaderBlock } from "./header-block.js";
import { MAX_INTERIM_RESPONSES, MAX_RESPONSE_VALUES_BYTES, MAX_STATUS_LINE_BYTES } from "./limits.js";
import type { ResponseError } from "./response-error.js";

export interface ResponseParserOptions {
	/** Headers whose values may be asked for, lower-case. */
	readonly headerNames: readonly string[];
	/** The head is complete and accepted: `status` and `header` hold. Must not throw. */
	readonly onHead: () => void;
	/** The next bytes of the body, a part of what was fed: valid until it returns. Must not throw. */
	readonly onBody: (buffer: Uint8Array, offset: number, byteCount: number) => void;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;

/** Positions in "HTTP/1.1 NNN reason". */
const PREFIX = "HTTP/";
const MAJOR_AT = 5;
const DOT_AT = 6;
const MINOR_AT = 7;
const STATUS_AT = 9;
const REASON_AT = 13;

const STATUS_LINE = 0;
const STATUS_LINE_END = 1;
const HEADERS = 2;
const BODY = 3;
const DONE = 4;

export class ResponseParser {
	readonly #options: ResponseParserOptions;
	readonly #headers: HeaderBlock;
	#place = STATUS_LINE;
	#lineBytes = 0;
	#status = 0;
	#interimCount = 0;
	#maxBodyBytes = 0;
	#leftBytes = 0;
	#error: ResponseError | undefined;

	constructor(options: ResponseParserOptions) {
		this.#options = options;
		this.#headers = new HeaderBlock({
			names: options.headerNames,
			valuesMaxBytes: MAX_RESPONSE_VALUES_BYTES,
		});
	}

	/** Forgets everything and waits for the response to the next request. */
	begin(maxBodyBytes: number): void {
		this.#headers.reset();
		this.#place = STATUS_LINE;
		this.#lineBytes = 0;
		this.#status = 0;
		this.#interimCount = 0;
		this.#maxBodyBytes = maxBodyBytes;
		this.#leftBytes = 0;
		this.#error = undefined;
	}

	get isDone(): boolean {
		return this.#place === DONE && this.#error === undefined;
	}

	/** 200 to 599; 0 before `onHead`. */
	get status(): number {
		return this.#place >= BODY ? this.#status : 0;
	}

	/** Whether the server lets the connection stand after this response. */
	get isKeepAlive(): boolean {
		return this.isDone && !this.#headers.asksToClose;
	}

	/** The value of one of `headerNames`; undefined if it did not appear, or before `onHead`. */
	header(name: string): string | undefined {
		return this.#place >= BODY ? this.#headers.value(name) : undefined;
	}

	/** Takes all of the bytes. After an error every call returns that error and does nothing. */
	feed(buffer: Uint8Array, offset: number, byteCount: number): ResponseError | undefined {
		const end = offset + byteCount;
		let at = offset;
		while (at < end && this.#place < BODY && this.#error === undefined) {
			if (this.#place === HEADERS) {
				at = this.#headers.feed(buffer, at, end);
				this.#error = this.#headers.error;
				if (this.#headers.isComplete) this.#error = this.#endHead();
			} else {
				this.#error = this.#takeStatusLine(buffer[at] ?? 0);
				at += 1;
			}
		}
		if (this.#error !== undefined || at === end) return this.#error;
		return this.#takeBody(buffer, at, end);
	}

	#takeStatusLine(byte: number): ResponseError | undefined {
		const at = this.#lineBytes;
		this.#lineBytes += 1;
		if (this.#lineBytes > MAX_STATUS_LINE_BYTES) return "status-line-too-long";
		if (this.#place === STATUS_LINE_END) {
			if (byte !== LF) return "bad-line-end";
			this.#place = HEADERS;
			return this.#status < 100 || this.#status > 599 || this.#status === 101 ? "bad-status" : undefined;
		}
		if (at >= REASON_AT) return this.#takeReason(byte);
		if (at >= STATUS_AT && at < REASON_AT - 1) {
			if (!isDigitByte(byte)) return "bad-status-line";
			this.#status = this.#status * 10 + (byte - 0x30);
			return undefined;
		}
		return takeVersion(byte, at);
	}

	#takeReason(byte: number): ResponseError | undefined {
		if (byte === LF) return "bad-line-end";
		if (byte === CR) this.#place = STATUS_LINE_END;
		else if (!isTextByte(byte)) return "bad-status-line";
		return undefined;
	}

	#endHead(): ResponseError | undefined {
		if (this.#status < 200) return this.#skipInterim();
		const lengthBytes = this.#headers.contentLengthBytes;
		if (this.#status === 204 && (lengthBytes ?? 0) !== 0) return "bad-content-length";
		// A 304 may state the length of what it does not send: RFC 9110 §8.6.
		const hasBody = this.#status !== 204 && this.#status !== 304;
		if (hasBody && lengthBytes === undefined) return "missing-content-length";
		this.#leftBytes = hasBody ? (lengthBytes ?? 0) : 0;
		// Written so that a maximum that is not a number refuses.
		if (!(this.#leftBytes <= this.#maxBodyBytes)) return "body-too-large";
		this.#place = this.#leftBytes === 0 ? DONE : BODY;
		this.#options.onHead();
		return undefined;
	}

	#skipInterim(): ResponseError | undefined {
		this.#interimCount += 1;
		if (this.#interimCount > MAX_INTERIM_RESPONSES) return "too-many-interim-responses";
		if ((this.#headers.contentLengthBytes ?? 0) !== 0) return "bad-content-length";
		this.#headers.reset();
		this.#place = STATUS_LINE;
		this.#lineBytes = 0;
		this.#status = 0;
		return undefined;
	}

	#takeBody(buffer: Uint8Array, offset: number, end: number): ResponseError | undefined {
		const byteCount = Math.min(this.#leftBytes, end - offset);
		if (byteCount > 0) {
			this.#leftBytes -= byteCount;
			if (this.#leftBytes === 0) this.#place = DONE;
			this.#options.onBody(buffer, offset, byteCount);
		}
		if (offset + byteCount < end) this.#error = "over-delivery";
		return this.#error;
	}
}

/** The fixed bytes of the status line: "HTTP/1.1 " and the blank behind the status. */
function takeVersion(byte: number, at: number): ResponseError | undefined {
	if (at === MAJOR_AT || at === MINOR_AT) {
		if (!isDigitByte(byte)) return "bad-status-line";
		return byte === 0x31 ? undefined : "unsupported-version";
	}
	const wanted = at < MAJOR_AT ? PREFIX.charCodeAt(at) : at === DOT_AT ? 0x2e : SPACE;
	return byte === wanted ? undefined : "bad-status-line";
}
