// The ESP32 application image (ESP-IDF 6.0, esp_app_format.h and esp_app_desc.h; docs/protocol.md §11): header of 24
// bytes, segments (load address u32, length u32, data), zero padding, XOR checksum as the last byte of a 16-byte row,
// SHA-256 over all of that. The application description is the first thing in the first segment. Little-endian.
import { utf8Decode } from "./encoding.js";
import { FotaError } from "./error-codes.js";
import { HASH_BYTES, IMAGE_MAX_BYTES, IMAGE_MIN_BYTES } from "./limits.js";
import { CHIP_IDS, type Chip } from "./release-statement.js";

export const IMAGE_MAGIC = 0xe9;
export const IMAGE_HEADER_BYTES = 24;
export const SEGMENT_HEADER_BYTES = 8;
export const SEGMENT_COUNT_MAX = 16;
export const CHECKSUM_SEED = 0xef;
export const APP_DESCRIPTION_MAGIC = 0xabcd5432;
export const APP_DESCRIPTION_BYTES = 256;
/** From the start of an image to the end of its application description. */
export const IMAGE_PREAMBLE_BYTES = IMAGE_HEADER_BYTES + SEGMENT_HEADER_BYTES + APP_DESCRIPTION_BYTES;

const CODE = "image-invalid";

export interface ImagePreamble {
	readonly chip: Chip | undefined;
	readonly chipId: number;
	readonly segmentCount: number;
	readonly hasAppendedHash: boolean;
	/** secure_version of the description (eFuse anti-rollback). */
	readonly secureVersion: number;
	readonly version: string;
	readonly projectName: string;
	/** Build time and date as the compiler wrote them, for people. */
	readonly builtAt: string;
	/** ESP-IDF version. */
	readonly idfVersion: string;
}

/** Reads the first {@link IMAGE_PREAMBLE_BYTES} of an image. Throws `image-invalid`. */
export function parseImagePreamble(bytes: Uint8Array): ImagePreamble {
	if (bytes.length < IMAGE_PREAMBLE_BYTES) throw new FotaError(CODE, "shorter than an image header");
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	if (bytes[0] !== IMAGE_MAGIC) throw new FotaError(CODE, "does not begin with 0xE9");
	const segmentCount = bytes[1] ?? 0;
	if (segmentCount < 1 || segmentCount > SEGMENT_COUNT_MAX)
		throw new FotaError(CODE, "bad number of segments");
	const description = IMAGE_HEADER_BYTES + SEGMENT_HEADER_BYTES;
	if (
		view.getUint32(IMAGE_HEADER_BYTES + 4, true) < APP_DESCRIPTION_BYTES ||
		view.getUint32(description, true) !== APP_DESCRIPTION_MAGIC
	) {
		throw new FotaError(CODE, "no application description");
	}
	const chipId = view.getUint16(12, true);
	return {
		chip: (Object.keys(CHIP_IDS) as Chip[]).find((name) => CHIP_IDS[name] === chipId),
		chipId,
		segmentCount,
		hasAppendedHash: bytes[23] === 1,
		secureVersion: view.getUint32(description + 4, true),
		version: text(bytes, description + 16, 32),
		projectName: text(bytes, description + 48, 32),
		builtAt: `${text(bytes, description + 96, 16)} ${text(bytes, description + 80, 16)}`.trim(),
		idfVersion: text(bytes, description + 112, 32),
	};
}

function text(bytes: Uint8Array, start: number, maxBytes: number): string {
	let end = start;
	while (end < start + maxBytes && bytes[end] !== 0) end++;
	const decoded = utf8Decode(bytes, start, end);
	if (decoded === undefined || end === start + maxBytes)
		throw new FotaError(CODE, "unreadable application description");
	return decoded;
}

export interface ImageCheck extends ImagePreamble {
	/** Where the appended SHA-256 begins; it is over all bytes before. */
	readonly hashOffsetBytes: number;
}

/**
 * Checks a complete image: magic, segments within bounds, checksum, room for the appended hash, nothing behind it.
 * The appended hash itself is compared by the caller, who can hash. Throws `image-invalid`.
 */
export function checkImage(bytes: Uint8Array): ImageCheck {
	if (bytes.length < IMAGE_MIN_BYTES || bytes.length > IMAGE_MAX_BYTES)
		throw new FotaError(CODE, "bad length");
	const preamble = parseImagePreamble(bytes);
	if (!preamble.hasAppendedHash) throw new FotaError(CODE, "no appended hash");
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let checksum = CHECKSUM_SEED;
	let at = IMAGE_HEADER_BYTES;
	for (let segment = 0; segment < preamble.segmentCount; segment++) {
		if (at + SEGMENT_HEADER_BYTES > bytes.length) throw new FotaError(CODE, "segment beyond the end");
		const length = view.getUint32(at + 4, true);
		at += SEGMENT_HEADER_BYTES;
		if (length % 4 !== 0 || length > bytes.length - at) throw new FotaError(CODE, "segment beyond the end");
		for (const end = at + length; at < end; at++) checksum ^= bytes[at] ?? 0;
	}
	// Zero padding up to a row of 16 whose last byte is the checksum.
	const hashOffsetBytes = (Math.floor(at / 16) + 1) * 16;
	if (hashOffsetBytes + HASH_BYTES !== bytes.length)
		throw new FotaError(CODE, "length differs from its segments");
	if (bytes[hashOffsetBytes - 1] !== checksum) throw new FotaError(CODE, "wrong checksum");
	return { ...preamble, hashOffsetBytes };
}
