// Reading messages of multicast DNS (RFC 1035 §4, RFC 6762 §18). Pure. Used by adapters/discovery. Anybody in the local
// network sends them: every length is checked, what is read of one message has an end, and nothing in it is believed.

export const DNS_MESSAGE_MAX_BYTES = 1472;
export const DNS_QUESTIONS_MAX = 16;
/** Of all three kinds together. */
export const DNS_RECORDS_MAX = 32;
/** Labels with their lengths, of all names of a message together, each as often as a name comes by it. */
export const DNS_LABEL_BYTES_MAX = 2048;
const HEAD_BYTES = 12;
/** RFC 1035 §2.3.4, dots and the length of the root included. */
const NAME_MAX_BYTES = 255;
/** Pointers followed in one name. Each leads backwards, so there is an end without this; it comes sooner. */
const POINTERS_MAX = 16;

export const DnsType = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, NSEC: 47, ANY: 255 } as const;
export const DNS_CLASS_IN = 1;
const CLASS_ANY = 255;
/** In a question: the answer may come to the sender alone. In a record: it replaces what was known. */
const TOP_BIT = 0x8000;

export interface DnsQuestion {
	/** Lower case, labels joined by dots; a dot or backslash inside a label has a backslash before it. */
	readonly name: string;
	readonly type: number;
	readonly isUnicastWanted: boolean;
}

export interface DnsRecord {
	readonly name: string;
	readonly type: number;
	readonly ttlSeconds: number;
	/** As it stands in the message; names in it may be compressed. */
	readonly data: Uint8Array;
	/** Of a PTR, and of an SRV: the name it leads to. */
	readonly target: string | undefined;
}

export interface DnsMessage {
	readonly id: number;
	readonly isResponse: boolean;
	readonly questions: readonly DnsQuestion[];
	readonly answers: readonly DnsRecord[];
	/** In a probe: what the sender proposes to own. */
	readonly authorities: readonly DnsRecord[];
	readonly additionals: readonly DnsRecord[];
}

/**
 * The message, or undefined for what is malformed, no standard query or response, or beyond one of the maxima above.
 * Questions and records of other classes than IN are left out.
 */
export function parseDnsMessage(bytes: Uint8Array): DnsMessage | undefined {
	if (bytes.length < HEAD_BYTES || bytes.length > DNS_MESSAGE_MAX_BYTES) return undefined;
	const reader = new DnsReader(bytes);
	const id = reader.u16();
	const flags = reader.u16();
	const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
	// Operation and outcome must be 0 (RFC 6762 §18.3, §18.11).
	if ((flags & 0x780f) !== 0) return undefined;
	// Threat: a message of many records costs the device its time. Refused before the first is looked at.
	if (counts[0] > DNS_QUESTIONS_MAX || counts[1] + counts[2] + counts[3] > DNS_RECORDS_MAX) return undefined;
	const questions = reader.questions(counts[0]);
	const answers = reader.records(counts[1]);
	const authorities = reader.records(counts[2]);
	const additionals = reader.records(counts[3]);
	if (reader.isBad) return undefined;
	return { id, isResponse: (flags & 0x8000) !== 0, questions, answers, authorities, additionals };
}

interface Name {
	readonly text: string;
	/** Offset behind it, where it stands. */
	readonly end: number;
}

class DnsReader {
	readonly #bytes: Uint8Array;
	#offset = 0;
	#labelBytes = 0;
	/** Something did not fit; what was read since is nothing. */
	isBad = false;

	constructor(bytes: Uint8Array) {
		this.#bytes = bytes;
	}

	u16(): number {
		return this.#number(2);
	}

	questions(count: number): DnsQuestion[] {
		const found: DnsQuestion[] = [];
		for (let i = 0; i < count && !this.isBad; i++) {
			const name = this.#name();
			const type = this.u16();
			const classWord = this.u16();
			const kind = classWord & ~TOP_BIT;
			if (this.isBad || (kind !== DNS_CLASS_IN && kind !== CLASS_ANY)) continue;
			found.push({ name, type, isUnicastWanted: (classWord & TOP_BIT) !== 0 });
		}
		return found;
	}

	records(count: number): DnsRecord[] {
		const found: DnsRecord[] = [];
		for (let i = 0; i < count && !this.isBad; i++) {
			const record = this.#record();
			if (record !== undefined) found.push(record);
		}
		return found;
	}

	#record(): DnsRecord | undefined {
		const name = this.#name();
		const type = this.u16();
		const classWord = this.u16();
		const ttlSeconds = this.#number(4);
		const dataBytes = this.u16();
		const start = this.#offset;
		if (start + dataBytes > this.#bytes.length) this.isBad = true;
		if (this.isBad) return undefined;
		this.#offset += dataBytes;
		if ((classWord & ~TOP_BIT) !== DNS_CLASS_IN) return undefined;
		const data = this.#bytes.subarray(start, start + dataBytes);
		return { name, type, ttlSeconds, data, target: this.#target(type, start, dataBytes) };
	}

	/** A target that does not fit its record makes the record useless, not the message. */
	#target(type: number, start: number, dataBytes: number): string | undefined {
		const skipBytes = type === DnsType.PTR ? 0 : type === DnsType.SRV ? 6 : undefined;
		if (skipBytes === undefined || dataBytes <= skipBytes) return undefined;
		const name = this.#nameAt(start + skipBytes);
		return name !== undefined && name.end === start + dataBytes ? name.text : undefined;
	}

	#number(byteCount: number): number {
		if (this.#offset + byteCount > this.#bytes.length) this.isBad = true;
		if (this.isBad) return 0;
		let value = 0;
		for (let i = 0; i < byteCount; i++) value = value * 256 + (this.#bytes[this.#offset++] ?? 0);
		return value;
	}

	#name(): string {
		const name = this.isBad ? undefined : this.#nameAt(this.#offset);
		if (name === undefined) {
			this.isBad = true;
			return "";
		}
		this.#offset = name.end;
		return name.text;
	}

	/** Undefined for a name that is cut off, too long, or does not end. */
	#nameAt(start: number): Name | undefined {
		const bytes = this.#bytes;
		let offset = start;
		let end: number | undefined;
		let lowest = start;
		let pointerCount = 0;
		let nameBytes = 1;
		let text = "";
		for (;;) {
			const length = bytes[offset];
			if (length === undefined) return undefined;
			if (length === 0) return { text: text.toLowerCase(), end: end ?? offset + 1 };
			if (length >= 0xc0) {
				const low = bytes[offset + 1];
				if (low === undefined) return undefined;
				end ??= offset + 2;
				offset = (length & 0x3f) * 256 + low;
				// Threat: pointers in a circle. Each must lead further back than any place read so far.
				if (offset >= lowest || ++pointerCount > POINTERS_MAX) return undefined;
				lowest = offset;
				continue;
			}
			nameBytes += length + 1;
			if (length > 63 || nameBytes > NAME_MAX_BYTES || offset + 1 + length > bytes.length) return undefined;
			// Threat: hundreds of names that all lead to one long one, a message that is small and slow to read.
			this.#labelBytes += length + 1;
			if (this.#labelBytes > DNS_LABEL_BYTES_MAX) this.isBad = true;
			if (this.isBad) return undefined;
			if (text !== "") text += ".";
			text += labelText(bytes, offset + 1, length);
			offset += 1 + length;
		}
	}
}

/**
 * Eight bytes a step: a string for each byte would cost more. Bytes beyond ASCII become characters of Latin-1, which no
 * lower case makes ASCII: they only have to differ from our own names.
 */
function labelText(bytes: Uint8Array, start: number, length: number): string {
	const end = start + length;
	let text = "";
	let at = start;
	for (; at + 8 <= end; at += 8)
		text += String.fromCharCode(
			bytes[at] ?? 0,
			bytes[at + 1] ?? 0,
			bytes[at + 2] ?? 0,
			bytes[at + 3] ?? 0,
			bytes[at + 4] ?? 0,
			bytes[at + 5] ?? 0,
			bytes[at + 6] ?? 0,
			bytes[at + 7] ?? 0,
		);
	for (; at < end; at++) text += String.fromCharCode(bytes[at] ?? 0);
	return text.includes(".") || text.includes("\\") ? escaped(text) : text;
}

/** Rare. A regular expression would take twenty times as long for a label of dots. */
function escaped(label: string): string {
	let text = "";
	for (let i = 0; i < label.length; i++) {
		const char = label.charAt(i);
		text += char === "." || char === "\\" ? `\\${char}` : char;
	}
	return text;
}
