// Images in the real format, and manifests for them, without keys: a "signature" is 64 bytes of 1.
import { createHash } from "node:crypto";
import { base64urlEncode } from "../../src/protocol/encoding.js";
import { APP_DESCRIPTION_MAGIC, CHECKSUM_SEED } from "../../src/protocol/esp-image.js";
import { chunkCountOf, type Manifest } from "../../src/protocol/manifest.js";
import {
	CHIP_IDS,
	type Chip,
	encodeSigningInput,
	type ReleaseStatement,
} from "../../src/protocol/release-statement.js";

export function sha256Hex(bytes: Uint8Array): string {
	return createHash("sha256").update(bytes).digest("hex");
}

const IMAGES = new Map<string, Uint8Array>();

/** A valid image of exactly `sizeBytes` (a multiple of 16). */
export function fakeImage(options: { version: string; sizeBytes: number; chip?: Chip }): Uint8Array {
	const key = JSON.stringify(options);
	const image = IMAGES.get(key) ?? makeImage(options);
	IMAGES.set(key, image);
	return image;
}

function makeImage(options: { version: string; sizeBytes: number; chip?: Chip }): Uint8Array {
	const { version, sizeBytes } = options;
	const image = new Uint8Array(sizeBytes);
	const view = new DataView(image.buffer);
	const hashOffset = sizeBytes - 32;
	const segmentBytes = hashOffset - 16 - 32;
	let noise = 0x1234567 + version.length;
	for (let i = 288; i < 32 + segmentBytes; i++) {
		noise = (Math.imul(noise, 1103515245) + 12345) >>> 0;
		image[i] = noise >>> 16;
	}
	image.set([0xe9, 1], 0);
	view.setUint16(12, CHIP_IDS[options.chip ?? "esp32c3"], true);
	image[23] = 1;
	view.setUint32(28, segmentBytes, true);
	view.setUint32(32, APP_DESCRIPTION_MAGIC, true);
	for (let i = 0; i < version.length; i++) image[32 + 16 + i] = version.charCodeAt(i);
	let checksum = CHECKSUM_SEED;
	for (let i = 32; i < 32 + segmentBytes; i++) checksum ^= image[i] ?? 0;
	image[hashOffset - 1] = checksum;
	image.set(createHash("sha256").update(image.subarray(0, hashOffset)).digest(), hashOffset);
	return image;
}

export interface FakeRelease {
	readonly image: Uint8Array;
	readonly statement: ReleaseStatement;
}

export function fakeRelease(
	options: { version: string; sizeBytes?: number; chip?: Chip } & Partial<ReleaseStatement>,
): FakeRelease {
	const { version, sizeBytes = 12 * 16_384, chip = "esp32c3" } = options;
	const image = fakeImage({ version, sizeBytes, chip });
	const statement: ReleaseStatement = {
		deviceType: "inverter",
		buildNumber: 1,
		securityVersion: 0,
		hash: sha256Hex(image),
		minCurrentVersion: undefined,
		releasedAt: 1000,
		...options,
		version,
		chip,
		sizeBytes,
	};
	return { image, statement };
}

export function fakeJws(statement: ReleaseStatement, signatureByte = 1): string {
	const signature = base64urlEncode(new Uint8Array(64).fill(signatureByte));
	return `${encodeSigningInput(statement, "0123456789abcdef")}.${signature}`;
}

export function fakeManifest(statement: ReleaseStatement, chunkBytes: number): Manifest {
	return {
		version: statement.version,
		buildNumber: statement.buildNumber,
		sizeBytes: statement.sizeBytes,
		hash: statement.hash,
		chunkBytes,
		chunkCount: chunkCountOf(statement.sizeBytes, chunkBytes),
		release: fakeJws(statement),
	};
}
