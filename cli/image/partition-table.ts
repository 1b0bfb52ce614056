// The partition table: partitions.csv as text, and the binary that ESP-IDF's gen_esp32part writes at 0x8000: rows of
// 32 bytes (AA 50, type, subtype, offset, size, label, flags), an MD5 row, FF to the end of the sector. Called by
// flash-image.ts and by whoever looks into a flash file. It must not know what stands in a partition.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ERASE_BLOCK_BYTES, SECTOR_BYTES } from "../../src/protocol/limits.js";
import { PROJECT_ROOT } from "./project-root.js";

export const TABLE_OFFSET = 0x8000;
const TABLE_BYTES = 0xc00;
const ROW_BYTES = 32;
const ROW_MAGIC = 0x50aa;
const MD5_MAGIC = 0xebeb;

export interface Partition {
	readonly label: string;
	/** 0 app, 1 data. */
	readonly type: number;
	readonly subtype: number;
	readonly offsetBytes: number;
	readonly sizeBytes: number;
}

const TYPES: Readonly<Record<string, number>> = { app: 0, data: 1 };
const SUBTYPES: Readonly<Record<string, number>> = {
	factory: 0x00,
	ota: 0x00,
	phy: 0x01,
	nvs: 0x02,
	nvs_keys: 0x04,
};

/** The project's own table, as the chip is flashed with it. */
export function projectPartitions(): readonly Partition[] {
	return parsePartitionsCsv(readFileSync(join(PROJECT_ROOT, "partitions.csv"), "utf8"));
}

/** Throws Error naming the line. Offsets must be given. */
export function parsePartitionsCsv(text: string): readonly Partition[] {
	const partitions: Partition[] = [];
	for (const [index, line] of text.split("\n").entries()) {
		const content = line.replace(/#.*/, "").trim();
		if (content === "") continue;
		const partition = parseCsvLine(content);
		const problem = partition ? problemOf(partition, partitions) : "not: name, type, subtype, offset, size";
		if (!partition || problem) throw new Error(`partitions, line ${index + 1}: ${problem}`);
		partitions.push(partition);
	}
	return partitions;
}

function parseCsvLine(line: string): Partition | undefined {
	const [label = "", typeText = "", subtypeText = "", offset = "", size = ""] = line
		.split(",")
		.map((field) => field.trim());
	const type = TYPES[typeText] ?? parseSize(typeText);
	const ota = /^ota_([0-9]|1[0-5])$/.exec(subtypeText);
	const subtype = ota ? 0x10 + Number(ota[1]) : (SUBTYPES[subtypeText] ?? parseSize(subtypeText));
	const partition = { label, type, subtype, offsetBytes: parseSize(offset), sizeBytes: parseSize(size) };
	const isWhole = [type, subtype, partition.offsetBytes, partition.sizeBytes].every(Number.isInteger);
	return isWhole && label.length > 0 && label.length < 16 ? partition : undefined;
}

function parseSize(text: string): number {
	const match = /^(0x[0-9a-f]+|[0-9]+)([km]?)$/i.exec(text);
	const unit = { k: 1024, m: 1024 * 1024 }[match?.[2]?.toLowerCase() ?? ""] ?? 1;
	return match ? Number(match[1]) * unit : Number.NaN;
}

function problemOf(partition: Partition, before: readonly Partition[]): string | undefined {
	const alignment = partition.type === 0 ? ERASE_BLOCK_BYTES : SECTOR_BYTES;
	if (partition.offsetBytes % alignment !== 0) return `the offset is not a multiple of ${alignment}`;
	if (partition.sizeBytes % SECTOR_BYTES !== 0) return `the size is not a multiple of ${SECTOR_BYTES}`;
	const end = before.reduce(
		(last, other) => Math.max(last, other.offsetBytes + other.sizeBytes),
		TABLE_OFFSET + SECTOR_BYTES,
	);
	if (partition.offsetBytes < end) return "it overlaps what stands before it";
	if (before.some((other) => other.label === partition.label)) return "the name is taken";
	return undefined;
}

/** One sector: what stands at {@link TABLE_OFFSET}. */
export function encodePartitionTable(partitions: readonly Partition[]): Uint8Array {
	const bytes = new Uint8Array(SECTOR_BYTES).fill(0xff);
	if ((partitions.length + 2) * ROW_BYTES > TABLE_BYTES) throw new RangeError("too many partitions");
	for (const [index, partition] of partitions.entries()) bytes.set(encodeRow(partition), index * ROW_BYTES);
	const at = partitions.length * ROW_BYTES;
	new DataView(bytes.buffer).setUint16(at, MD5_MAGIC, true);
	bytes.set(createHash("md5").update(bytes.subarray(0, at)).digest(), at + 16);
	return bytes;
}

function encodeRow(partition: Partition): Uint8Array {
	const row = new Uint8Array(ROW_BYTES);
	const view = new DataView(row.buffer);
	view.setUint16(0, ROW_MAGIC, true);
	view.setUint8(2, partition.type);
	view.setUint8(3, partition.subtype);
	view.setUint32(4, partition.offsetBytes, true);
	view.setUint32(8, partition.sizeBytes, true);
	row.set(new TextEncoder().encode(partition.label), 12);
	return row;
}

/** Reads the table of a flash file. Throws Error when there is none, or its MD5 is wrong. */
export function decodePartitionTable(flash: Uint8Array): readonly Partition[] {
	return decodePartitions(flash.subarray(TABLE_OFFSET));
}

/** The same for the table alone, as ESP-IDF writes it to partition-table.bin; what stands behind it does not matter. */
export function decodePartitions(table: Uint8Array): readonly Partition[] {
	const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
	const partitions: Partition[] = [];
	let at = 0;
	while (at + ROW_BYTES <= table.length && view.getUint16(at, true) === ROW_MAGIC) {
		const label = table.subarray(at + 12, at + 28);
		partitions.push({
			label: new TextDecoder().decode(label).replace(/\0.*$/s, ""),
			type: view.getUint8(at + 2),
			subtype: view.getUint8(at + 3),
			offsetBytes: view.getUint32(at + 4, true),
			sizeBytes: view.getUint32(at + 8, true),
		});
		at += ROW_BYTES;
	}
	if (partitions.length === 0) throw new Error("the flash has no partition table at 0x8000");
	const md5 = createHash("md5").update(table.subarray(0, at)).digest();
	const hasMd5 = at + ROW_BYTES <= table.length && view.getUint16(at, true) === MD5_MAGIC;
	if (!hasMd5 || md5.compare(table.subarray(at + 16, at + 32)) !== 0)
		throw new Error("the partition table in the flash is damaged");
	return partitions;
}
