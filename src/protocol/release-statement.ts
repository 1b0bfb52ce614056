// The release statement: a compact JWS (RFC 7515, ES256 of RFC 7518 §3.4) by the operator's release key over what an
// image is and whom it is for (docs/protocol.md §4). Parsed here; the signature itself is checked by whoever can hash.
import { base64urlDecode, base64urlEncode, hexEncode, utf8Encode } from "./encoding.js";
import { FotaError } from "./error-codes.js";
import { HASH_PATTERN, NAME_PATTERN, parseJsonObject } from "./json.js";
import {
	COUNTER_MAX,
	IMAGE_MAX_BYTES,
	IMAGE_MIN_BYTES,
	SIGNATURE_BYTES,
	STATEMENT_MAX_BYTES,
	UINT32_MAX,
	VERSION_MAX_CHARS,
} from "./limits.js";
import { isVersion } from "./version.js";

/** Chips the project builds for, with their esp_chip_id_t as it stands in the image header. */
export const CHIP_IDS = { esp32: 0, esp32c3: 5, esp32s3: 9 } as const;
export type Chip = keyof typeof CHIP_IDS;
export const CHIPS: readonly Chip[] = ["esp32", "esp32c3", "esp32s3"];

export interface ReleaseStatement {
	readonly deviceType: string;
	readonly chip: Chip;
	readonly version: string;
	readonly buildNumber: number;
	/** Rises when older images must never run again. */
	readonly securityVersion: number;
	/** Image length in bytes, appended hash included. */
	readonly sizeBytes: number;
	/** SHA-256 of the whole image, 64 hex digits. */
	readonly hash: string;
	/** The running version must not be below this one. */
	readonly minCurrentVersion: string | undefined;
	/** Unix time in seconds. A later statement for the same image lifts the memory of a rollback. */
	readonly releasedAt: number;
}

export interface SignedStatement {
	readonly statement: ReleaseStatement;
	/** First 16 hex digits of SHA-256 over the 65-byte public key. */
	readonly keyId: string;
	/** The bytes that are signed: ASCII of `header.payload`. */
	readonly signingInput: Uint8Array;
	/** r || s, 64 bytes. */
	readonly signature: Uint8Array;
}

const CODE = "statement-malformed";
const KEY_ID_PATTERN = /^[0-9a-f]{16}$/;

/** Parses a compact JWS. Throws `statement-malformed`. The signature is NOT verified. */
export function parseSignedStatement(jws: string): SignedStatement {
	if (jws.length > STATEMENT_MAX_BYTES)
		throw new FotaError(CODE, `more than ${STATEMENT_MAX_BYTES} characters`);
	const parts = jws.split(".");
	const [headerText, payloadText, signatureText] = parts;
	if (
		parts.length !== 3 ||
		headerText === undefined ||
		payloadText === undefined ||
		signatureText === undefined
	) {
		throw new FotaError(CODE, "not three parts");
	}
	const signature = decodePart(signatureText);
	if (signature.length !== SIGNATURE_BYTES) throw new FotaError(CODE, "signature is not 64 bytes");
	return {
		statement: parseStatement(decodePart(payloadText)),
		keyId: parseHeader(decodePart(headerText)),
		signingInput: utf8Encode(`${headerText}.${payloadText}`),
		signature,
	};
}

function decodePart(text: string): Uint8Array {
	const bytes = base64urlDecode(text);
	if (bytes === undefined) throw new FotaError(CODE, "not base64url");
	return bytes;
}

// Threat: an attacker who chooses the algorithm ("none", HMAC under a public key). Exactly one header is accepted.
function parseHeader(bytes: Uint8Array): string {
	const fields = parseJsonObject(bytes, { maxBytes: 256, code: CODE });
	fields.oneOf("alg", ["ES256"]);
	fields.oneOf("typ", ["fota-release"]);
	if (fields.has("crit")) throw new FotaError(CODE, "critical extensions are not known");
	return fields.string("kid", 16, KEY_ID_PATTERN);
}

function parseStatement(bytes: Uint8Array): ReleaseStatement {
	const fields = parseJsonObject(bytes, { maxBytes: STATEMENT_MAX_BYTES, code: CODE });
	const version = fields.string("version", VERSION_MAX_CHARS);
	const minCurrentVersion = fields.optionalString("min_current_version", VERSION_MAX_CHARS);
	if (!isVersion(version) || (minCurrentVersion !== undefined && !isVersion(minCurrentVersion))) {
		throw new FotaError(CODE, "version is not a semantic version");
	}
	return {
		deviceType: fields.string("device_type", 32, NAME_PATTERN),
		chip: fields.oneOf("chip", CHIPS),
		version,
		buildNumber: fields.integer("build_number", 0, UINT32_MAX),
		securityVersion: fields.integer("security_version", 0, UINT32_MAX),
		sizeBytes: fields.integer("size", IMAGE_MIN_BYTES, IMAGE_MAX_BYTES),
		hash: fields.string("hash", 64, HASH_PATTERN),
		minCurrentVersion,
		releasedAt: fields.integer("released_at", 0, COUNTER_MAX),
	};
}

/** The ASCII text to be signed: `header.payload`. Append `.` and base64url of r || s for the JWS. */
export function encodeSigningInput(statement: ReleaseStatement, keyId: string): string {
	const header = JSON.stringify({ alg: "ES256", kid: keyId, typ: "fota-release" });
	const payload = JSON.stringify({
		device_type: statement.deviceType,
		chip: statement.chip,
		version: statement.version,
		build_number: statement.buildNumber,
		security_version: statement.securityVersion,
		size: statement.sizeBytes,
		hash: statement.hash,
		min_current_version: statement.minCurrentVersion ?? null,
		released_at: statement.releasedAt,
	});
	return `${base64urlEncode(utf8Encode(header))}.${base64urlEncode(utf8Encode(payload))}`;
}

/** The key id of a release key: first 16 hex digits of `publicKeyHash`, SHA-256 over the uncompressed point. */
export function keyIdOf(publicKeyHash: Uint8Array): string {
	return hexEncode(publicKeyHash.subarray(0, 8));
}
