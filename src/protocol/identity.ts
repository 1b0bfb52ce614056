// The identity of a device: what it is told once, by cable, and must never lose (docs/protocol.md §12). Two sectors,
// each one record `magic | crc32 | sequence | length | JSON`; the valid one with the higher sequence counts, and a
// change writes the other, so a power cut leaves one of them whole.

import { DEVICE_ID_PATTERN } from "./device-auth.js";
import { crc32, hexDecode, hexEncode, utf8Encode } from "./encoding.js";
import { FotaError } from "./error-codes.js";
import { type JsonFields, NAME_PATTERN, parseJsonObject } from "./json.js";
import {
	CHUNK_SIZES_BYTES,
	IDENTITY_MAX_BYTES,
	KEY_BYTES,
	PUBLIC_KEY_BYTES,
	SECTOR_BYTES,
	UINT32_MAX,
} from "./limits.js";
import { encodeSurroundings, HOST_PATTERN, parseSurroundings, type Surroundings } from "./surroundings.js";

export const IDENTITY_PARTITION = "fota_id";
export const IDENTITY_SECTORS = 2;
const MAGIC = 0x46_4f_49_44; // "FOID", big-endian
const HEAD_BYTES = 16;
const CODE = "storage-failed";

export interface Identity extends Surroundings {
	readonly deviceId: string;
	readonly deviceKey: Uint8Array;
	readonly deviceType: string;
	/** One or two trusted release keys, uncompressed P-256 points of 65 bytes (two while a key is replaced). */
	readonly releaseKeys: readonly Uint8Array[];
	readonly server: { readonly host: string; readonly port: number };
	readonly settings: Settings;
}

export interface Settings {
	/** Time between two polls of the manifest, in seconds, 1 to 604800. Default 3600. */
	readonly pollSeconds: number;
	/** Time between two progress reports, in seconds, 1 to 3600. Default 5. */
	readonly reportSeconds: number;
	/** Chunk size in bytes: 1024, 4096 (default), 16384, 32768. One chunk is held in RAM. */
	readonly chunkBytes: number;
	/** Chunks fetched in one go, then a pause; 0 (default) fetches all in one stream. At most 8192. */
	readonly chunksPerInterval: number;
	/** Pause between two goes in milliseconds, 0 to 3600000. Default 0. */
	readonly intervalMs: number;
	/** Where an automatic rollback goes when both exist. Default "previous". */
	readonly rollbackTo: "previous" | "factory";
	/** Time a new firmware has to be confirmed, in seconds, 60 to 86400. Default 300. */
	readonly confirmSeconds: number;
}

export const DEFAULT_SETTINGS: Settings = {
	pollSeconds: 3600,
	reportSeconds: 5,
	chunkBytes: 4096,
	chunksPerInterval: 0,
	intervalMs: 0,
	rollbackTo: "previous",
	confirmSeconds: 300,
};

/** Parses the JSON document. Throws `storage-failed`. */
export function parseIdentity(bytes: Uint8Array): Identity {
	const fields = parseJsonObject(bytes, { maxBytes: IDENTITY_MAX_BYTES, code: CODE });
	const server = fields.object("server");
	return {
		deviceId: fields.string("device_id", 32, DEVICE_ID_PATTERN),
		deviceKey: decodeHex(fields.string("device_key", 2 * KEY_BYTES), KEY_BYTES, "device_key"),
		deviceType: fields.string("device_type", 32, NAME_PATTERN),
		releaseKeys: parseReleaseKeys(fields),
		server: { host: server.string("host", 253, HOST_PATTERN), port: server.integer("port", 1, 65_535) },
		settings: parseSettings(fields.optionalObject("settings")),
		...parseSurroundings(fields),
	};
}

function parseReleaseKeys(fields: JsonFields): Uint8Array[] {
	const keys = fields.strings("release_keys", 2, /^04[0-9a-f]{128}$/);
	if (keys.length === 0) throw new FotaError(CODE, "release_keys is empty");
	return keys.map((key) => decodeHex(key, PUBLIC_KEY_BYTES, "release_keys"));
}

function decodeHex(text: string, length: number, name: string): Uint8Array {
	const bytes = hexDecode(text, length);
	if (bytes === undefined) throw new FotaError(CODE, `${name} is not ${2 * length} lower-case hex digits`);
	return bytes;
}

function parseSettings(fields: JsonFields | undefined): Settings {
	if (fields === undefined) return DEFAULT_SETTINGS;
	const chunkBytes = fields.optionalInteger("chunk_size", 1, 65_536) ?? DEFAULT_SETTINGS.chunkBytes;
	if (!CHUNK_SIZES_BYTES.includes(chunkBytes))
		throw new FotaError(CODE, `settings.chunk_size is not one of ${CHUNK_SIZES_BYTES.join(", ")}`);
	return {
		pollSeconds: fields.optionalInteger("poll_s", 1, 604_800) ?? DEFAULT_SETTINGS.pollSeconds,
		reportSeconds: fields.optionalInteger("report_s", 1, 3600) ?? DEFAULT_SETTINGS.reportSeconds,
		chunkBytes,
		chunksPerInterval:
			fields.optionalInteger("chunks_per_interval", 0, 8192) ?? DEFAULT_SETTINGS.chunksPerInterval,
		intervalMs: fields.optionalInteger("interval_ms", 0, 3_600_000) ?? DEFAULT_SETTINGS.intervalMs,
		rollbackTo: fields.has("rollback_to")
			? fields.oneOf("rollback_to", ["previous", "factory"])
			: DEFAULT_SETTINGS.rollbackTo,
		confirmSeconds: fields.optionalInteger("confirm_s", 60, 86_400) ?? DEFAULT_SETTINGS.confirmSeconds,
	};
}

export function encodeIdentity(identity: Identity): Uint8Array {
	const { settings } = identity;
	return utf8Encode(
		JSON.stringify({
			device_id: identity.deviceId,
			device_key: hexEncode(identity.deviceKey),
			device_type: identity.deviceType,
			release_keys: identity.releaseKeys.map(hexEncode),
			server: identity.server,
			settings: {
				poll_s: settings.pollSeconds,
				report_s: settings.reportSeconds,
				chunk_size: settings.chunkBytes,
				chunks_per_interval: settings.chunksPerInterval,
				interval_ms: settings.intervalMs,
				rollback_to: settings.rollbackTo,
				confirm_s: settings.confirmSeconds,
			},
			...encodeSurroundings(identity),
		}),
	);
}

export interface IdentityRecord {
	/** Counts changes, from 1. */
	readonly sequence: number;
	readonly document: Uint8Array;
}

/** One sector, FF-padded to 4096 bytes. */
export function encodeIdentityRecord(record: IdentityRecord): Uint8Array {
	if (record.document.length > IDENTITY_MAX_BYTES)
		throw new FotaError(CODE, `identity exceeds ${IDENTITY_MAX_BYTES} bytes`);
	const sector = new Uint8Array(SECTOR_BYTES).fill(0xff);
	const view = new DataView(sector.buffer);
	view.setUint32(0, MAGIC);
	view.setUint32(8, record.sequence);
	view.setUint32(12, record.document.length);
	sector.set(record.document, HEAD_BYTES);
	view.setUint32(4, recordCrc(sector, record.document.length));
	return sector;
}

// The CRC covers sequence, length and document: a torn head is as invalid as a torn document.
function recordCrc(sector: Uint8Array, length: number): number {
	return crc32(sector, 8, HEAD_BYTES + length);
}

/** The record in a sector, or undefined when it is erased, torn or foreign. */
export function parseIdentityRecord(sector: Uint8Array): IdentityRecord | undefined {
	if (sector.length < SECTOR_BYTES) return undefined;
	const view = new DataView(sector.buffer, sector.byteOffset, SECTOR_BYTES);
	const sequence = view.getUint32(8);
	const length = view.getUint32(12);
	if (view.getUint32(0) !== MAGIC || sequence === 0 || sequence === UINT32_MAX || length > IDENTITY_MAX_BYTES)
		return undefined;
	if (view.getUint32(4) !== recordCrc(sector, length)) return undefined;
	return { sequence, document: sector.slice(HEAD_BYTES, HEAD_BYTES + length) };
}
