// Reads the header lines of an HTTP/1.1 message byte by byte, in any split, up to the empty line. Keeps the
// values of the names it was given and what decides where the message ends; the rest is checked and counted.
// Called by response-parser and request-parser. It must not know first lines, bodies or sockets.

import {
	asciiText,
	equalsIgnoringCase,
	isBlankByte,
	isDigitByte,
	isTextByte,
	isTokenByte,
	isVisibleByte,
} from "./ascii.js";
import type { HeaderError } from "./header-error.js";
import {
	MAX_CONTENT_LENGTH_DIGITS,
	MAX_HEAD_BYTES,
	MAX_HEADER_LINE_BYTES,
	MAX_HEADER_NAME_BYTES,
	MAX_HEADERS,
} from "./limits.js";

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Where in a line the next byte falls. */
const LINE_START = 0;
const NAME = 1;
const BEFORE_VALUE = 2;
const VALUE = 3;
const LINE_END = 4;
const BLOCK_END = 5;
const COMPLETE = 6;

/** Which header a line is, besides an index of `names`. */
const IGNORED = -1;
const CONTENT_LENGTH = -2;
const CONNECTION = -3;

/** Marks a value that has not appeared; above any length. */
const ABSENT = 0xffff;

export interface HeaderBlockOptions {
	/** Headers whose values are kept, lower-case, each at most MAX_HEADER_NAME_BYTES. */
	readonly names: readonly string[];
	/** Bytes of all values that are kept. Costs its bytes of RAM. */
	readonly valuesMaxBytes: number;
}

export class HeaderBlock {
	readonly #names: readonly string[];
	readonly #name = new Uint8Array(MAX_HEADER_NAME_BYTES);
	readonly #values: Uint8Array;
	readonly #valueOffsets: Uint16Array;
	readonly #valueLengths: Uint16Array;
	#place = LINE_START;
	#header = IGNORED;
	#nameBytes = 0;
	#keptBytes = 0;
	#valueBytes = 0;
	#lineBytes = 0;
	#blockBytes = 0;
	#headerCount = 0;
	#contentLengthBytes: number | undefined;
	#asksToClose = false;
	#error: HeaderError | undefined;

	constructor({ names, valuesMaxBytes }: HeaderBlockOptions) {
		this.#names = names;
		this.#values = new Uint8Array(valuesMaxBytes);
		this.#valueOffsets = new Uint16Array(names.length);
		this.#valueLengths = new Uint16Array(names.length).fill(ABSENT);
	}

	get isComplete(): boolean {
		return this.#place === COMPLETE;
	}

	get error(): HeaderError | undefined {
		return this.#error;
	}

	get contentLengthBytes(): number | undefined {
		return this.#contentLengthBytes;
	}

	/** Whether a Connection header lists "close". */
	get asksToClose(): boolean {
		return this.#asksToClose;
	}

	/** The value of one of `names`, without blanks around it; undefined if it did not appear. */
	value(name: string): string | undefined {
		const index = this.#names.indexOf(name);
		const byteCount = this.#valueLengths[index] ?? ABSENT;
		return byteCount === ABSENT
			? undefined
			: asciiText(this.#values, this.#valueOffsets[index] ?? 0, byteCount);
	}

	reset(): void {
		this.#valueLengths.fill(ABSENT);
		this.#place = LINE_START;
		this.#keptBytes = 0;
		this.#lineBytes = 0;
		this.#blockBytes = 0;
		this.#headerCount = 0;
		this.#contentLengthBytes = undefined;
		this.#asksToClose = false;
		this.#error = undefined;
	}

	/** Takes bytes up to the end of the block, an error or `end`, and returns the offset it came to. */
	feed(buffer: Uint8Array, offset: number, end: number): number {
		let at = offset;
		while (at < end && this.#error === undefined && this.#place !== COMPLETE) {
			this.#error = this.#take(buffer[at] ?? 0);
			at += 1;
		}
		return at;
	}

	#take(byte: number): HeaderError | undefined {
		this.#lineBytes += 1;
		this.#blockBytes += 1;
		if (this.#lineBytes > MAX_HEADER_LINE_BYTES) return "header-line-too-long";
		if (this.#blockBytes > MAX_HEAD_BYTES) return "head-too-long";
		switch (this.#place) {
			case LINE_START:
				return this.#takeLineStart(byte);
			case NAME:
				return this.#takeName(byte);
			case BEFORE_VALUE:
				if (isBlankByte(byte)) return undefined;
				this.#place = VALUE;
				return this.#takeValue(byte);
			case VALUE:
				return this.#takeValue(byte);
			default:
				return this.#takeLineFeed(byte);
		}
	}

	#takeLineStart(byte: number): HeaderError | undefined {
		if (byte === CR) {
			this.#place = BLOCK_END;
			return undefined;
		}
		if (isBlankByte(byte)) return "obs-fold";
		this.#headerCount += 1;
		if (this.#headerCount > MAX_HEADERS) return "too-many-headers";
		this.#nameBytes = 0;
		this.#place = NAME;
		return this.#takeName(byte);
	}

	#takeName(byte: number): HeaderError | undefined {
		if (isTokenByte(byte)) {
			if (this.#nameBytes < MAX_HEADER_NAME_BYTES) this.#name[this.#nameBytes] = byte;
			this.#nameBytes += 1;
			return undefined;
		}
		if (byte === CR || byte === LF) return "bad-line-end";
		if (byte !== COLON || this.#nameBytes === 0) return "bad-header";
		if (this.#isName("transfer-encoding")) return "transfer-encoding-refused";
		this.#header = this.#identify();
		this.#valueBytes = 0;
		this.#place = BEFORE_VALUE;
		return undefined;
	}

	#isName(name: string): boolean {
		return (
			this.#nameBytes <= MAX_HEADER_NAME_BYTES && equalsIgnoringCase(this.#name, 0, this.#nameBytes, name)
		);
	}

	#identify(): number {
		if (this.#isName("content-length")) return CONTENT_LENGTH;
		if (this.#isName("connection")) return CONNECTION;
		for (let index = 0; index < this.#names.length; index += 1) {
			if (this.#isName(this.#names[index] ?? "")) return index;
		}
		return IGNORED;
	}

	#takeValue(byte: number): HeaderError | undefined {
		if (byte === CR) {
			this.#place = LINE_END;
			return undefined;
		}
		if (byte === LF) return "bad-line-end";
		if (!isTextByte(byte)) return "bad-header";
		if (this.#header === IGNORED) return undefined;
		const offset = this.#keptBytes + this.#valueBytes;
		if (offset === this.#values.length) return "header-value-too-long";
		this.#values[offset] = byte;
		this.#valueBytes += 1;
		return undefined;
	}

	#takeLineFeed(byte: number): HeaderError | undefined {
		if (byte !== LF) return "bad-line-end";
		if (this.#place === BLOCK_END) {
			this.#place = COMPLETE;
			return undefined;
		}
		this.#place = LINE_START;
		this.#lineBytes = 0;
		return this.#header === IGNORED ? undefined : this.#endValue();
	}

	/** The value lies behind those that are kept. RFC 9110 §5.5: blanks around it are not part of it. */
	#endValue(): HeaderError | undefined {
		const offset = this.#keptBytes;
		while (this.#valueBytes > 0 && isBlankByte(this.#values[offset + this.#valueBytes - 1] ?? 0))
			this.#valueBytes -= 1;
		for (let at = offset; at < offset + this.#valueBytes; at += 1) {
			const byte = this.#values[at] ?? 0;
			if (!isVisibleByte(byte) && byte !== SPACE) return "bad-header";
		}
		if (this.#header === CONTENT_LENGTH) return this.#endContentLength(offset);
		if (this.#header === CONNECTION) {
			this.#asksToClose ||= this.#listsClose(offset);
			return undefined;
		}
		if (this.#valueLengths[this.#header] !== ABSENT) return "duplicate-header";
		this.#valueOffsets[this.#header] = offset;
		this.#valueLengths[this.#header] = this.#valueBytes;
		this.#keptBytes += this.#valueBytes;
		return undefined;
	}

	#endContentLength(offset: number): HeaderError | undefined {
		if (this.#contentLengthBytes !== undefined) return "duplicate-header";
		if (this.#valueBytes === 0 || this.#valueBytes > MAX_CONTENT_LENGTH_DIGITS) return "bad-content-length";
		let lengthBytes = 0;
		for (let at = offset; at < offset + this.#valueBytes; at += 1) {
			const byte = this.#values[at] ?? 0;
			if (!isDigitByte(byte)) return "bad-content-length";
			lengthBytes = lengthBytes * 10 + (byte - 0x30);
		}
		this.#contentLengthBytes = lengthBytes;
		return undefined;
	}

	/** Whether "close" is one of the elements between commas. */
	#listsClose(offset: number): boolean {
		const end = offset + this.#valueBytes;
		let start = offset;
		for (let at = offset; at <= end; at += 1) {
			if (at < end && this.#values[at] !== COMMA) continue;
			let last = at;
			while (start < last && isBlankByte(this.#values[start] ?? 0)) start += 1;
			while (start < last && isBlankByte(this.#values[last - 1] ?? 0)) last -= 1;
			if (equalsIgnoringCase(this.#values, start, last - start, "close")) return true;
			start = at + 1;
		}
		return false;
	}
}
