// The messages of system B's devices (docs/protocol.md §17): what they ask and report as JSON. Not in src/protocol, all of
// which is built into our own firmware: that speaks the manifest and its status report instead.
import { FotaError } from "../../src/protocol/error-codes.js";
import { type JsonFields, NAME_PATTERN, parseJsonObject } from "../../src/protocol/json.js";
import {
	COUNTER_MAX,
	IMAGE_MAX_BYTES,
	REASON_MAX_CHARS,
	STATUS_MAX_BYTES,
	UINT32_MAX,
	VERSION_MAX_CHARS,
} from "../../src/protocol/limits.js";
import { CHIPS, type Chip } from "../../src/protocol/release-statement.js";
import { OTA_STATUSES, type OtaStatus } from "../domain/ota-status.js";

export const OTA_CHECK_PATH = "/api/ota/check";
export const OTA_STATUS_PATH = "/api/ota/status";
export const OTA_DOWNLOAD_PATH = "/api/ota/download";

/** Texts in a report; the longest that is kept is shorter. */
const TEXT_MAX_CHARS = 500;

export interface OtaCheck {
	/** The device's own, where it says it once more. */
	readonly deviceId: string | undefined;
	readonly deviceType: string;
	/** Running. */
	readonly version: string;
	readonly buildNumber: number | undefined;
	readonly chip: Chip | undefined;
}

export interface OtaReport extends OtaStatus {
	readonly deviceId: string | undefined;
	/** The release it is about, by the id that the check named. */
	readonly firmwareId: number;
}

/** Throws `request-malformed`. */
export function parseOtaCheck(bytes: Uint8Array): OtaCheck {
	const fields = parseFields(bytes);
	return {
		deviceId: fields.optionalString("device_id", 32, NAME_PATTERN),
		deviceType: fields.string("device_type", 32, NAME_PATTERN),
		version: fields.string("current_version", VERSION_MAX_CHARS),
		buildNumber: fields.optionalInteger("build_number", 0, UINT32_MAX),
		chip: fields.has("chip") ? fields.oneOf("chip", CHIPS) : undefined,
	};
}

/** Throws `request-malformed`. */
export function parseOtaReport(bytes: Uint8Array): OtaReport {
	const fields = parseFields(bytes);
	return {
		deviceId: fields.optionalString("device_id", 32, NAME_PATTERN),
		status: fields.oneOf("status", OTA_STATUSES),
		firmwareId: fields.integer("firmware_id", 1, COUNTER_MAX),
		version: fields.optionalString("current_version", VERSION_MAX_CHARS),
		bytesReceived: fields.optionalInteger("bytes_downloaded", 0, IMAGE_MAX_BYTES),
		errorCode: fields.optionalString("error_code", REASON_MAX_CHARS),
		error: fields.optionalString("error", TEXT_MAX_CHARS),
	};
}

/** The device's id in a body; undefined when there is none, or the body is none of these. */
export function deviceIdIn(bytes: Uint8Array): string | undefined {
	if (bytes.length === 0) return undefined;
	try {
		return parseFields(bytes).optionalString("device_id", 32, NAME_PATTERN);
	} catch (error) {
		if (error instanceof FotaError && error.code === "request-malformed") return undefined;
		throw error;
	}
}

function parseFields(bytes: Uint8Array): JsonFields {
	return parseJsonObject(bytes, { maxBytes: STATUS_MAX_BYTES, code: "request-malformed" });
}
