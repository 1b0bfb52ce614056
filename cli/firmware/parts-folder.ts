// The parts of a firmware as they are flashed, with their offsets: a folder of images and a manifest.json that lists them
// in the form of ESP Web Tools, so that the same folder serves `fota flash`, `fota provision`, `fota qemu` and a web page.
// It must not know how parts are made or flashed.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseJsonObject } from "../../src/protocol/json.js";
import { VERSION_MAX_CHARS } from "../../src/protocol/limits.js";
import type { Chip } from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import { findPartition, firstSlot } from "../image/flash-image.js";
import { decodePartitions, type Partition, TABLE_OFFSET } from "../image/partition-table.js";

export const PARTS_MANIFEST = "manifest.json";
export const PART_FILES = {
	bootloader: "bootloader.bin",
	table: "partition-table.bin",
	otadata: "otadata.bin",
	firmware: "firmware.bin",
} as const;
const MANIFEST_MAX_BYTES = 64 * 1024;
const LIST_MAX = 16;
const FLASH_MAX_BYTES = 128 * 1024 * 1024;

/** Where the ROM looks for the bootloader. */
export const BOOTLOADER_OFFSET: Readonly<Record<Chip, number>> = { esp32: 0x1000, esp32c3: 0, esp32s3: 0 };
/** As ESP Web Tools and esptool call the chips. */
export const CHIP_FAMILY: Readonly<Record<Chip, string>> = {
	esp32: "ESP32",
	esp32c3: "ESP32-C3",
	esp32s3: "ESP32-S3",
};

export interface PartFile {
	/** Relative to the manifest. */
	readonly path: string;
	/** From the start of the flash, in bytes. */
	readonly offset: number;
}

/** https://esphome.github.io/esp-web-tools/ */
export interface WebManifest {
	readonly name: string;
	readonly version: string;
	readonly builds: readonly { readonly chipFamily: string; readonly parts: readonly PartFile[] }[];
}

export interface PartsDescription {
	readonly name: string;
	readonly version: string;
	readonly chip: Chip;
	readonly partitions: readonly Partition[];
}

/** Bootloader, table, an empty otadata (so that the first slot boots), application. No identity: it is one device's. */
export function describeParts(description: PartsDescription): WebManifest {
	const { name, version, chip, partitions } = description;
	const parts = [
		{ path: PART_FILES.bootloader, offset: BOOTLOADER_OFFSET[chip] },
		{ path: PART_FILES.table, offset: TABLE_OFFSET },
		{ path: PART_FILES.otadata, offset: findPartition(partitions, "otadata").offsetBytes },
		{
			path: PART_FILES.firmware,
			offset: findPartition(partitions, firstSlot(partitions)).offsetBytes,
		},
	];
	return { name, version, builds: [{ chipFamily: CHIP_FAMILY[chip], parts }] };
}

export async function writePartsManifest(path: string, manifest: WebManifest): Promise<void> {
	await writeFile(path, `${JSON.stringify(manifest, undefined, "\t")}\n`);
}

export interface Part {
	readonly name: string;
	readonly offsetBytes: number;
	readonly bytes: Uint8Array;
}

export interface PartsFolder {
	readonly name: string;
	readonly version: string;
	readonly chip: Chip;
	/** In the order of their offsets; they do not overlap. */
	readonly parts: readonly Part[];
	/** As the table among the parts has them. */
	readonly partitions: readonly Partition[];
}

/** Everything in it is checked before any of it is used. Throws CliError. */
export async function readPartsFolder(folder: string): Promise<PartsFolder> {
	const manifest = await readPartsManifest(folder);
	const [build, ...others] = manifest.builds;
	const chip = (Object.keys(CHIP_FAMILY) as Chip[]).find((name) => CHIP_FAMILY[name] === build?.chipFamily);
	if (!build || !chip || others.length > 0)
		throw new CliError(`${join(folder, PARTS_MANIFEST)} is not for one chip that this project knows`, {
			hint: "Give the folder that fota firmware made.",
		});
	const parts = await Promise.all(
		build.parts.map(async ({ path, offset }) => ({
			name: path.replace(/\.bin$/, ""),
			offsetBytes: offset,
			bytes: await readPart(join(folder, path)),
		})),
	);
	parts.sort((a, b) => a.offsetBytes - b.offsetBytes);
	const partitions = tableOf(parts, folder);
	checkFit(parts, partitions);
	return { name: manifest.name, version: manifest.version, chip, parts, partitions };
}

export async function readPartsManifest(folder: string): Promise<WebManifest> {
	const path = join(folder, PARTS_MANIFEST);
	const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
		throw new CliError(`${path} cannot be read: ${cause.code}`, {
			hint: "Run fota firmware first, or give its folder with --parts.",
			cause,
		});
	});
	try {
		return parseWebManifest(bytes);
	} catch (cause) {
		throw new CliError(`${path} is not a list of parts: ${(cause as Error).message}`, {
			hint: "Run fota firmware again.",
			cause,
		});
	}
}

function parseWebManifest(bytes: Uint8Array): WebManifest {
	const fields = parseJsonObject(bytes, { maxBytes: MANIFEST_MAX_BYTES, code: "answer-malformed" });
	return {
		name: fields.string("name", 64),
		version: fields.string("version", VERSION_MAX_CHARS),
		builds: fields.objects("builds", LIST_MAX).map((build) => ({
			chipFamily: build.string("chipFamily", 32),
			parts: build.objects("parts", LIST_MAX).map((part) => ({
				path: part.string("path", 255),
				offset: part.integer("offset", 0, FLASH_MAX_BYTES),
			})),
		})),
	};
}

async function readPart(path: string): Promise<Uint8Array> {
	const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
		throw new CliError(`${path} cannot be read: ${cause.code}`, { hint: "Run fota firmware again.", cause });
	});
	if (bytes.length === 0) throw new CliError(`${path} is empty`, { hint: "Run fota firmware again." });
	return bytes;
}

function tableOf(parts: readonly Part[], folder: string): readonly Partition[] {
	const table = parts.find(({ offsetBytes }) => offsetBytes === TABLE_OFFSET);
	try {
		return decodePartitions(table?.bytes ?? new Uint8Array(0));
	} catch (cause) {
		throw new CliError(`the partition table in ${folder} is missing or damaged`, {
			hint: "Run fota firmware again.",
			cause,
		});
	}
}

/** What lies behind the table must be one partition each; what lies before it must end there. Throws CliError. */
export function checkFit(parts: readonly Part[], partitions: readonly Partition[]): void {
	for (const [index, { name, offsetBytes, bytes }] of parts.entries()) {
		const partition = partitions.find((candidate) => candidate.offsetBytes === offsetBytes);
		const roomBytes = partition?.sizeBytes ?? roomAtFront(offsetBytes);
		if (roomBytes === undefined)
			throw new CliError(`${name} is for offset 0x${offsetBytes.toString(16)}, where no partition begins`);
		if (bytes.length > roomBytes)
			throw new CliError(`${name} has ${bytes.length} bytes, its place ${roomBytes}`, {
				hint: "Make it smaller, or the partition larger (a new table reaches a board by cable only).",
			});
		if (parts[index + 1]?.offsetBytes === offsetBytes)
			throw new CliError(`two parts are for offset 0x${offsetBytes.toString(16)}`);
	}
}

function roomAtFront(offsetBytes: number): number | undefined {
	if (offsetBytes === TABLE_OFFSET) return 0x1000;
	return offsetBytes < TABLE_OFFSET ? TABLE_OFFSET - offsetBytes : undefined;
}

/** Bytes of flash that the table needs. */
export function flashBytesNeeded(partitions: readonly Partition[]): number {
	return Math.max(...partitions.map(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes));
}
