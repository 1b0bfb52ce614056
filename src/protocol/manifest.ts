// The manifest answer: which release is offered to this device (docs/protocol.md §5). Its numbers repeat the signed
// statement for devices and people that read JSON only; our firmware trusts the statement and compares.
import { FotaError } from "./error-codes.js";
import { HASH_PATTERN, parseJsonObject } from "./json.js";
import {
	CHUNK_COUNT_MAX,
	CHUNK_SIZES_BYTES,
	IMAGE_MAX_BYTES,
	IMAGE_MIN_BYTES,
	MANIFEST_MAX_BYTES,
	STATEMENT_MAX_BYTES,
	UINT32_MAX,
	VERSION_MAX_CHARS,
} from "./limits.js";

export const MANIFEST_PATH = "/api/inverter/fota/manifest";

export interface Manifest {
	readonly version: string;
	readonly buildNumber: number;
	readonly sizeBytes: number;
	readonly hash: string;
	readonly chunkBytes: number;
	readonly chunkCount: number;
	/** Compact JWS, see release-statement.ts. */
	readonly release: string;
}

export function encodeManifest(manifest: Manifest): string {
	return JSON.stringify({
		version: manifest.version,
		build_number: manifest.buildNumber,
		size: manifest.sizeBytes,
		hash: manifest.hash,
		chunk_size: manifest.chunkBytes,
		total_chunks: manifest.chunkCount,
		release: manifest.release,
	});
}

/** Throws `answer-malformed`. Size, chunk size and chunk count agree with each other afterwards. */
export function parseManifest(bytes: Uint8Array): Manifest {
	const fields = parseJsonObject(bytes, { maxBytes: MANIFEST_MAX_BYTES, code: "answer-malformed" });
	const manifest: Manifest = {
		version: fields.string("version", VERSION_MAX_CHARS),
		buildNumber: fields.optionalInteger("build_number", 0, UINT32_MAX) ?? 0,
		sizeBytes: fields.integer("size", IMAGE_MIN_BYTES, IMAGE_MAX_BYTES),
		hash: fields.string("hash", 64, HASH_PATTERN),
		chunkBytes: fields.integer("chunk_size", 1, IMAGE_MAX_BYTES),
		chunkCount: fields.integer("total_chunks", 1, CHUNK_COUNT_MAX),
		release: fields.string("release", STATEMENT_MAX_BYTES),
	};
	if (!CHUNK_SIZES_BYTES.includes(manifest.chunkBytes))
		throw new FotaError("answer-malformed", "chunk_size is not a size of the protocol");
	if (chunkCountOf(manifest.sizeBytes, manifest.chunkBytes) !== manifest.chunkCount) {
		throw new FotaError("answer-malformed", "total_chunks does not fit size and chunk_size");
	}
	return manifest;
}

export function chunkCountOf(sizeBytes: number, chunkBytes: number): number {
	return Math.ceil(sizeBytes / chunkBytes);
}

/** Length in bytes of chunk `number`, counted from 0; the last one may be shorter. */
export function chunkLengthOf(number: number, sizeBytes: number, chunkBytes: number): number {
	return Math.min(chunkBytes, sizeBytes - number * chunkBytes);
}
