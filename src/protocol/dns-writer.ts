// Writing messages of multicast DNS into a fixed buffer (RFC 1035 §4, RFC 6762 §18). Pure. Used by adapters/discovery.
// Names are ours: labels of ASCII, joined by dots, not compressed.

import { DNS_CLASS_IN, type DnsQuestion, DnsType } from "./dns-message.js";

const FLAGS_RESPONSE = 0x8400; // authoritative
const TOP_BIT = 0x8000;

/** A record of ours, by what it says. */
export type OwnRecord = { readonly name: string; readonly ttlSeconds: number } & (
	| { readonly type: typeof DnsType.A; readonly address: string }
	| { readonly type: typeof DnsType.PTR; readonly target: string }
	| { readonly type: typeof DnsType.SRV; readonly target: string; readonly port: number }
	| { readonly type: typeof DnsType.TXT; readonly texts: readonly string[] }
	/** Says that of this name there is an A and nothing else (RFC 6762 §6.1). */
	| { readonly type: typeof DnsType.NSEC }
);

/** Only we can have such a record; who hears it forgets what he knew (RFC 6762 §10.2). */
export function isUnique(record: OwnRecord): boolean {
	return record.type !== DnsType.PTR;
}

export interface DnsDraft {
	/** 0 where it goes to all. */
	readonly id: number;
	readonly isResponse: boolean;
	readonly questions: readonly Pick<DnsQuestion, "name" | "type" | "isUnicastWanted">[];
	readonly answers: readonly OwnRecord[];
	readonly authorities: readonly OwnRecord[];
	readonly additionals: readonly OwnRecord[];
	/** For a plain DNS client, which does not know the top bit of the class, and keeps nothing for long. */
	readonly isLegacy?: boolean;
}

const LEGACY_TTL_SECONDS = 10;

export class DnsWriter {
	readonly #bytes: Uint8Array;
	#length = 0;
	#isLegacy = false;

	/** Allocated once. */
	constructor(sizeBytes: number) {
		this.#bytes = new Uint8Array(sizeBytes);
	}

	/** The message, valid until the next call; undefined when it does not fit. */
	write(draft: DnsDraft): Uint8Array | undefined {
		const { questions, answers, authorities, additionals } = draft;
		this.#length = 0;
		this.#isLegacy = draft.isLegacy ?? false;
		for (const word of [draft.id, draft.isResponse ? FLAGS_RESPONSE : 0]) this.#u16(word);
		for (const list of [questions, answers, authorities, additionals]) this.#u16(list.length);
		for (const question of questions) {
			this.#name(question.name);
			this.#u16(question.type);
			this.#u16(DNS_CLASS_IN | (question.isUnicastWanted ? TOP_BIT : 0));
		}
		for (const record of answers) this.#record(record, isUnique(record) && !this.#isLegacy);
		// A probe proposes; it does not replace (RFC 6762 §10.2).
		for (const record of authorities) this.#record(record, false);
		for (const record of additionals) this.#record(record, isUnique(record) && !this.#isLegacy);
		return this.#length > this.#bytes.length ? undefined : this.#bytes.subarray(0, this.#length);
	}

	#record(record: OwnRecord, isReplacing: boolean): void {
		this.#name(record.name);
		this.#u16(record.type);
		this.#u16(DNS_CLASS_IN | (isReplacing ? TOP_BIT : 0));
		const ttlSeconds = this.#isLegacy ? Math.min(LEGACY_TTL_SECONDS, record.ttlSeconds) : record.ttlSeconds;
		this.#u16(Math.floor(ttlSeconds / 0x1_0000));
		this.#u16(ttlSeconds % 0x1_0000);
		const lengthAt = this.#length;
		this.#u16(0);
		this.#data(record);
		const dataBytes = this.#length - lengthAt - 2;
		this.#set(lengthAt, dataBytes >> 8);
		this.#set(lengthAt + 1, dataBytes & 0xff);
	}

	#data(record: OwnRecord): void {
		switch (record.type) {
			case DnsType.A:
				for (const part of addressBytes(record.address)) this.#u8(part);
				break;
			case DnsType.PTR:
				this.#name(record.target);
				break;
			case DnsType.SRV:
				for (const word of [0, 0, record.port]) this.#u16(word);
				this.#name(record.target);
				break;
			case DnsType.TXT:
				for (const text of record.texts) this.#text(text);
				if (record.texts.length === 0) this.#u8(0);
				break;
			case DnsType.NSEC:
				this.#name(record.name);
				// Window 0, one byte of bits: type 1 is there.
				for (const byte of [0, 1, 0x40]) this.#u8(byte);
				break;
		}
	}

	#name(name: string): void {
		for (const label of name.split(".")) this.#text(label.slice(0, 63));
		this.#u8(0);
	}

	/** Length and bytes; what is longer than 255 is cut. */
	#text(text: string): void {
		const length = Math.min(255, text.length);
		this.#u8(length);
		for (let i = 0; i < length; i++) this.#u8(text.charCodeAt(i) & 0x7f);
	}

	#u16(value: number): void {
		this.#u8(value >> 8);
		this.#u8(value);
	}

	#u8(value: number): void {
		this.#set(this.#length, value & 0xff);
		this.#length += 1;
	}

	#set(offset: number, value: number): void {
		if (offset < this.#bytes.length) this.#bytes[offset] = value;
	}
}

/** The four bytes of an IPv4 address in digits. */
export function addressBytes(address: string): number[] {
	return address.split(".", 4).map((part) => Number(part) & 0xff);
}
