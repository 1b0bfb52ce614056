// Boot records (otadata) made and read byte by byte, whole or not, for tests that need states which no program writes.
import { partitionBytes } from "../../cli/image/flash-image.js";
import { crc32 } from "../../src/protocol/encoding.js";
import { SECTOR_BYTES } from "../../src/protocol/limits.js";

const RECORD_BYTES = 32;

export const STATE = { new: 0, pending: 1, valid: 2, invalid: 3, aborted: 4, undefined: 0xffffffff } as const;

export interface RecordFields {
	readonly sequence: number;
	readonly state: number;
	/** Starts counted in seq_label. Default 0. */
	readonly boots?: number;
	readonly powerBoots?: number;
	/** Marked as written for an image that ran already. Default: false. */
	readonly isKept?: boolean;
	/** Default: the right one. */
	readonly crc?: number;
}

export function makeRecord({
	sequence,
	state,
	boots = 0,
	powerBoots = 0,
	isKept = false,
	crc,
}: RecordFields): Uint8Array {
	const record = new Uint8Array(RECORD_BYTES).fill(0xff);
	const view = new DataView(record.buffer);
	view.setUint32(0, sequence, true);
	view.setUint32(4, counter(boots), true);
	view.setUint32(8, counter(powerBoots), true);
	if (isKept) view.setUint32(12, 0, true);
	view.setUint32(24, state, true);
	view.setUint32(28, crc ?? sequenceCrc(sequence), true);
	return record;
}

/** A word with the lowest `count` bits cleared, 32 included. */
function counter(count: number): number {
	return 2 ** 32 - 2 ** count;
}

// The ROM's crc32_le(0xFFFFFFFF, …): begins with 0, ends inverted. Four bytes of FF leave the usual register at 0.
function sequenceCrc(sequence: number): number {
	const bytes = new Uint8Array(8).fill(0xff);
	new DataView(bytes.buffer).setUint32(4, sequence, true);
	return crc32(bytes);
}

export function putRecords(flash: Uint8Array, records: readonly (Uint8Array | undefined)[]): void {
	const otadata = partitionBytes(flash, "otadata").fill(0xff);
	for (const [index, record] of records.entries()) if (record) otadata.set(record, index * SECTOR_BYTES);
}

export interface FoundRecord {
	readonly sequence: number;
	readonly state: number;
	readonly boots: number;
	readonly powerBoots: number;
}

/** The record in that sector; undefined if its CRC is wrong. */
export function readRecord(flash: Uint8Array, index: number): FoundRecord | undefined {
	const otadata = partitionBytes(flash, "otadata");
	const view = new DataView(otadata.buffer, otadata.byteOffset + index * SECTOR_BYTES, RECORD_BYTES);
	const sequence = view.getUint32(0, true);
	if (sequence === 0xffffffff || view.getUint32(28, true) !== sequenceCrc(sequence)) return undefined;
	return {
		sequence,
		state: view.getUint32(24, true),
		boots: clearedBits(view.getUint32(4, true)),
		powerBoots: clearedBits(view.getUint32(8, true)),
	};
}

function clearedBits(word: number): number {
	let count = 0;
	for (let bit = 0; bit < 32; bit++) if ((word & (1 << bit)) === 0) count++;
	return count;
}
