// Builds an ESP32 application image (ESP-IDF 6.0, docs/protocol.md §11) around a payload: what the simulator boots.
// Called by firmware-build.ts and by tests that need images good and bad. It must not know what the payload means.
import { createHash } from "node:crypto";
import {
	APP_DESCRIPTION_BYTES,
	APP_DESCRIPTION_MAGIC,
	CHECKSUM_SEED,
	IMAGE_HEADER_BYTES,
	IMAGE_MAGIC,
	SEGMENT_COUNT_MAX,
	SEGMENT_HEADER_BYTES,
} from "../../src/protocol/esp-image.js";
import { HASH_BYTES, IMAGE_MAX_BYTES } from "../../src/protocol/limits.js";
import { CHIP_IDS, type Chip } from "../../src/protocol/release-statement.js";

const ROW_BYTES = 16;
/** Flash is mapped in pages of 64 KiB: a mapped segment's address equals its place in the file within the page. */
const FIRST_DATA_OFFSET = IMAGE_HEADER_BYTES + SEGMENT_HEADER_BYTES;
const DROM_ADDRESS: Readonly<Record<Chip, number>> = {
	esp32: 0x3f40_0000,
	esp32c3: 0x3c00_0000,
	esp32s3: 0x3c00_0000,
};
const ENTRY_ADDRESS: Readonly<Record<Chip, number>> = {
	esp32: 0x4008_0000,
	esp32c3: 0x4038_0000,
	esp32s3: 0x4037_0000,
};
const SPI_MODE_DIO = 2;
/** Flash size 4 MB (high nibble 2), 40 MHz (low nibble 0). */
const SPI_SIZE_AND_SPEED = 0x20;
const IDF_VERSION = "v6.0.2";

export interface ImageSegment {
	/** Where it is loaded or mapped, as the chip's linker script has it. */
	readonly address: number;
	/** A multiple of 4 bytes. */
	readonly data: Uint8Array;
}

export interface EspImageOptions {
	readonly chip: Chip;
	/** Semantic version, at most 31 characters. */
	readonly version: string;
	readonly projectName: string;
	/** Stands in the first segment right behind the application description. */
	readonly payload: Uint8Array;
	/** Length of the whole image in bytes, a multiple of 16, at most {@link IMAGE_MAX_BYTES}; padded with noise. Default: what the payload needs. */
	readonly sizeBytes?: number | undefined;
	/** secure_version of the description. Default 0. */
	readonly securityVersion?: number | undefined;
	/** Further segments behind the first, at most 15. */
	readonly segments?: readonly ImageSegment[] | undefined;
	/** Makes images of one version differ in their padding. Default 0. */
	readonly seed?: number | undefined;
}

/** The image, appended SHA-256 included. The same options give the same bytes. Throws RangeError for impossible sizes. */
export function buildEspImage(options: EspImageOptions): Uint8Array {
	const more = options.segments ?? [];
	if (more.length >= SEGMENT_COUNT_MAX) throw new RangeError(`at most ${SEGMENT_COUNT_MAX} segments`);
	if (more.some((segment) => segment.data.length % 4 !== 0))
		throw new RangeError("a segment is not a multiple of 4 bytes");
	const firstBytes = firstSegmentBytes(options, more);
	const first = new Uint8Array(firstBytes);
	first.set(encodeDescription(options));
	first.set(options.payload, APP_DESCRIPTION_BYTES);
	fillWithNoise(first, APP_DESCRIPTION_BYTES + options.payload.length, noiseSeed(options));
	const address = DROM_ADDRESS[options.chip] + FIRST_DATA_OFFSET;
	return assemble(options.chip, [{ address, data: first }, ...more]);
}

function firstSegmentBytes(options: EspImageOptions, more: readonly ImageSegment[]): number {
	const needed = roundUp(APP_DESCRIPTION_BYTES + options.payload.length, 4);
	const { sizeBytes } = options;
	// Before memory is taken for it.
	checkLength(sizeBytes ?? needed);
	if (sizeBytes === undefined) return needed;
	if (sizeBytes % ROW_BYTES !== 0) throw new RangeError("the size is not a multiple of 16 bytes");
	// Segments end 4 bytes before the checksum row does: the row's other three bytes are zero padding.
	const others = more.reduce((sum, segment) => sum + SEGMENT_HEADER_BYTES + segment.data.length, 0);
	const bytes = sizeBytes - HASH_BYTES - 4 - FIRST_DATA_OFFSET - others;
	if (bytes < needed)
		throw new RangeError(`${sizeBytes} bytes are ${needed - bytes} too few for this payload`);
	return bytes;
}

/** Longer ones are no images to devices and server, and nothing could be done with them. */
function checkLength(bytes: number): void {
	if (bytes > IMAGE_MAX_BYTES)
		throw new RangeError(`${bytes} bytes are more than an image may have: ${IMAGE_MAX_BYTES}`);
}

function assemble(chip: Chip, segments: readonly ImageSegment[]): Uint8Array {
	const end = segments.reduce(
		(at, segment) => at + SEGMENT_HEADER_BYTES + segment.data.length,
		IMAGE_HEADER_BYTES,
	);
	const hashOffset = (Math.floor(end / ROW_BYTES) + 1) * ROW_BYTES;
	checkLength(hashOffset + HASH_BYTES);
	const image = new Uint8Array(hashOffset + HASH_BYTES);
	image.set(encodeHeader(chip, segments.length));
	const view = new DataView(image.buffer);
	let at = IMAGE_HEADER_BYTES;
	let checksum = CHECKSUM_SEED;
	for (const { address, data } of segments) {
		view.setUint32(at, address, true);
		view.setUint32(at + 4, data.length, true);
		image.set(data, at + SEGMENT_HEADER_BYTES);
		at += SEGMENT_HEADER_BYTES + data.length;
		for (const byte of data) checksum ^= byte;
	}
	image[hashOffset - 1] = checksum;
	image.set(createHash("sha256").update(image.subarray(0, hashOffset)).digest(), hashOffset);
	return image;
}

/** esp_image_header_t: 24 bytes. */
function encodeHeader(chip: Chip, segmentCount: number): Uint8Array {
	const header = new Uint8Array(IMAGE_HEADER_BYTES);
	const view = new DataView(header.buffer);
	header[0] = IMAGE_MAGIC;
	header[1] = segmentCount;
	header[2] = SPI_MODE_DIO;
	header[3] = SPI_SIZE_AND_SPEED;
	view.setUint32(4, ENTRY_ADDRESS[chip], true);
	header[8] = 0xee; // write-protect pin not used
	view.setUint16(12, CHIP_IDS[chip], true);
	view.setUint16(17, 0xffff, true); // newest chip revision: any
	header[23] = 1; // a SHA-256 is appended
	return header;
}

/** esp_app_desc_t: 256 bytes. Time and date stay empty, as with CONFIG_APP_REPRODUCIBLE_BUILD. */
function encodeDescription(options: EspImageOptions): Uint8Array {
	const bytes = new Uint8Array(APP_DESCRIPTION_BYTES);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, APP_DESCRIPTION_MAGIC, true);
	view.setUint32(4, options.securityVersion ?? 0, true);
	putText(bytes, 16, options.version);
	putText(bytes, 48, options.projectName);
	putText(bytes, 112, IDF_VERSION);
	bytes.set(createHash("sha256").update(options.payload).digest(), 144); // app_elf_sha256
	view.setUint16(178, 0xffff, true); // newest eFuse block revision: any
	bytes[180] = 16; // MMU page: 2^16 bytes
	return bytes;
}

function putText(bytes: Uint8Array, offset: number, text: string): void {
	const encoded = new TextEncoder().encode(text);
	if (encoded.length > 31) throw new RangeError(`"${text}" is longer than 31 bytes`);
	bytes.set(encoded, offset);
}

function noiseSeed(options: EspImageOptions): number {
	const text = `${options.version} ${options.chip} ${options.seed ?? 0}`;
	return createHash("sha256").update(text).digest().readUInt32LE(0) | 1;
}

// xorshift32. Noise, so that padding neither compresses nor looks like erased flash.
function fillWithNoise(bytes: Uint8Array, start: number, seed: number): void {
	let state = seed;
	for (let i = start; i < bytes.length; i++) {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		bytes[i] = state >>> 8;
	}
}

function roundUp(value: number, multiple: number): number {
	return Math.ceil(value / multiple) * multiple;
}
