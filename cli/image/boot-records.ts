// Reads otadata, the two boot records of a flash file, the way the bootloader does (docs/protocol.md §15): which slot
// boots next, and what became of each image. Called by the demo and by tests that check a device from outside.
import { createHash } from "node:crypto";
import { crc32 } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import {
	checkImage,
	IMAGE_HEADER_BYTES,
	parseImagePreamble,
	SEGMENT_HEADER_BYTES,
} from "../../src/protocol/esp-image.js";
import { HASH_BYTES, SECTOR_BYTES, UINT32_MAX } from "../../src/protocol/limits.js";
import { firstSlot, partitionBytes } from "./flash-image.js";
import { decodePartitionTable } from "./partition-table.js";

const STATES = ["new", "pending", "valid", "invalid", "aborted"] as const;
export type BootState = (typeof STATES)[number] | "undefined" | "damaged";

export interface BootRecord {
	readonly sequence: number;
	/** Label of the slot the record names. */
	readonly slot: string;
	readonly state: BootState;
}

export interface BootRecords {
	/** Sound records, the newest first. */
	readonly records: readonly BootRecord[];
	/** Label of the slot that the bootloader tries first at the next start. */
	readonly active: string;
}

export function readBootRecords(flash: Uint8Array): BootRecords {
	const partitions = decodePartitionTable(flash);
	const slots = partitions.filter(({ type, subtype }) => type === 0 && subtype >= 0x10);
	const otadata = partitionBytes(flash, "otadata");
	const records = [0, SECTOR_BYTES]
		.map((offset) => parseRecord(otadata.subarray(offset, offset + 32), slots.length))
		.filter((record) => record !== undefined)
		.sort((a, b) => b.sequence - a.sequence);
	const active = records.find(({ state }) => state !== "invalid" && state !== "aborted");
	return { records, active: active?.slot ?? firstSlot(partitions) };
}

function parseRecord(bytes: Uint8Array, slotCount: number): BootRecord | undefined {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const sequence = view.getUint32(0, true);
	if (sequence === UINT32_MAX || view.getUint32(28, true) !== recordCrc(bytes)) return undefined;
	const state = view.getUint32(24, true);
	return {
		sequence,
		slot: `ota_${(sequence - 1) % slotCount}`,
		state: STATES[state] ?? (state === UINT32_MAX ? "undefined" : "damaged"),
	};
}

// As the ROM's crc32_le(0xFFFFFFFF, …) gives it: CRC-32 that begins with 0 and ends inverted. Four bytes of FF in
// front of the usual one leave its register at 0.
function recordCrc(bytes: Uint8Array): number {
	const prefixed = new Uint8Array(8).fill(0xff);
	prefixed.set(bytes.subarray(0, 4), 4);
	return crc32(prefixed);
}

/** The image in a slot, checked as the bootloader does, hash included; undefined when there is no whole one. */
export function readSlotImage(flash: Uint8Array, label: string): Uint8Array | undefined {
	const slot = partitionBytes(flash, label);
	const image = slot.subarray(0, imageLength(slot));
	try {
		const { hashOffsetBytes } = checkImage(image);
		const hash = createHash("sha256").update(image.subarray(0, hashOffsetBytes)).digest();
		return hash.compare(image, hashOffsetBytes) === 0 ? image : undefined;
	} catch (error) {
		if (error instanceof FotaError && error.code === "image-invalid") return undefined;
		throw error;
	}
}

/** Length the segments claim, appended hash included; what they claim is checked afterwards. */
function imageLength(slot: Uint8Array): number {
	const view = new DataView(slot.buffer, slot.byteOffset, slot.byteLength);
	let at = IMAGE_HEADER_BYTES;
	for (let left = slot[1] ?? 0; left > 0 && at + SEGMENT_HEADER_BYTES <= slot.length; left--)
		at += SEGMENT_HEADER_BYTES + view.getUint32(at + 4, true);
	return (Math.floor(at / 16) + 1) * 16 + HASH_BYTES;
}

/** Version of the image in a slot, or undefined when there is no whole one. */
export function readSlotVersion(flash: Uint8Array, label: string): string | undefined {
	const image = readSlotImage(flash, label);
	return image && parseImagePreamble(image).version;
}
