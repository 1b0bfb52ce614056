// Firmware pushed over the local network (docs/protocol.md §16): what a device says of itself at GET /info, and how
// whoever holds its key proves it at POST /update and POST /confirm. Hashing is the caller's.
import { hexDecode, utf8Encode } from "./encoding.js";
import { type ErrorCode, isErrorCode } from "./error-codes.js";
import { HASH_PATTERN, type JsonFields, NAME_PATTERN, parseJsonObject } from "./json.js";
import {
	CHALLENGE_BYTES,
	CHUNK_COUNT_MAX,
	IMAGE_MAX_BYTES,
	INFO_MAX_BYTES,
	MAC_BYTES,
	REASON_MAX_CHARS,
	UINT32_MAX,
	VERSION_MAX_CHARS,
} from "./limits.js";
import { CHIPS, type Chip } from "./release-statement.js";
import { DEVICE_STATES, type DeviceState } from "./status-report.js";

export const PUSH_PORT = 3232;
export const INFO_PATH = "/info";
export const UPDATE_PATH = "/update";
export const CONFIRM_PATH = "/confirm";
export const PUSH_AUTH_SCHEME = "FOTA-PUSH-HMAC-SHA256";
/** Header of the release statement, a compact JWS. */
export const RELEASE_HEADER = "fota-release";
/** From the answer to the restart, in seconds. */
export const PUSH_RESTART_SECONDS = 3;

export interface PushRequest {
	readonly method: string;
	/** Path exactly as on the request line. */
	readonly target: string;
	/** As GET /info gave it: it counts once (threat: a replayed push). */
	readonly challenge: string;
	/** SHA-256 of the statement's ASCII, hex (threat: another release under the same credential). */
	readonly statementHash: string;
	readonly contentLengthBytes: number;
}

/** What the push key's MAC is over. */
export function pushMacInput(request: PushRequest): Uint8Array {
	const { method, target, challenge, statementHash, contentLengthBytes } = request;
	return utf8Encode(
		`FOTA-PUSH-1\n${method}\n${target}\n${challenge}\n${statementHash}\n${contentLengthBytes}`,
	);
}

export interface PushAuthorization {
	/** 32 hex digits. */
	readonly challenge: string;
	readonly mac: Uint8Array;
}

export function encodePushAuthorization(options: {
	readonly challenge: string;
	readonly macHex: string;
}): string {
	return `${PUSH_AUTH_SCHEME} challenge="${options.challenge}", mac="${options.macHex}"`;
}

const AUTHORIZATION = /^FOTA-PUSH-HMAC-SHA256 challenge="([0-9a-f]{32})", mac="([0-9a-f]{64})"$/;
const CHALLENGE_PATTERN = /^[0-9a-f]{32}$/;

/** Parses the Authorization header, one spelling only; undefined when it is anything else. */
export function parsePushAuthorization(header: string): PushAuthorization | undefined {
	if (header.length > 200) return undefined;
	const match = AUTHORIZATION.exec(header);
	const challenge = match?.[1];
	const mac = hexDecode(match?.[2] ?? "", MAC_BYTES);
	if (challenge === undefined || challenge.length !== 2 * CHALLENGE_BYTES || mac === undefined)
		return undefined;
	return { challenge, mac };
}

export const SLOT_STATES = ["new", "on-trial", "valid", "invalid", "aborted", "undefined"] as const;

export interface SlotInformation {
	/** Partition label. */
	readonly label: string;
	readonly state: (typeof SLOT_STATES)[number];
	/** Of the image that begins there. */
	readonly version: string | undefined;
	readonly sizeBytes: number;
}

/** The release under way. */
export interface PushProgress {
	readonly version: string;
	readonly hash: string;
	readonly chunksReceived: number;
	readonly chunkCount: number;
}

/** What a device tells whoever asks: nothing secret, and nothing to be believed. */
export interface DeviceInformation {
	readonly deviceId: string;
	readonly deviceType: string;
	readonly chip: Chip;
	/** The running firmware. */
	readonly version: string;
	/** Build time and date as the compiler wrote them; undefined if it did not. */
	readonly builtAt: string | undefined;
	readonly idfVersion: string;
	/** Of the XS engine or the SDK, where the firmware knows it. */
	readonly sdkVersion: string | undefined;
	/** Label of the slot that runs. */
	readonly running: string;
	/** Label of the slot that the boot records name. */
	readonly boot: string;
	/** For people: what is not as it should be. */
	readonly warning: string | undefined;
	readonly isOnTrial: boolean;
	readonly slots: readonly SlotInformation[];
	/** Of the updater. */
	readonly state: DeviceState;
	readonly progress: PushProgress | undefined;
	readonly error: { readonly code: ErrorCode; readonly message: string } | undefined;
	readonly uptimeSeconds: number;
	/** For one POST, 32 hex digits. */
	readonly challenge: string;
}

export function encodeDeviceInformation(info: DeviceInformation): string {
	const { progress } = info;
	return JSON.stringify({
		device_id: info.deviceId,
		device_type: info.deviceType,
		chip: info.chip,
		version: info.version,
		built_at: info.builtAt,
		idf_version: info.idfVersion,
		sdk_version: info.sdkVersion,
		running_slot: info.running,
		boot_slot: info.boot,
		warning: info.warning,
		on_trial: info.isOnTrial,
		slots: info.slots.map(({ label, state, version, sizeBytes }) => ({
			label,
			state,
			version,
			size: sizeBytes,
		})),
		fota_state: info.state,
		progress: progress && {
			version: progress.version,
			hash: progress.hash,
			chunk_received: progress.chunksReceived,
			total_chunks: progress.chunkCount,
			percent: Math.floor((100 * progress.chunksReceived) / progress.chunkCount),
		},
		error_code: info.error?.code,
		error: info.error?.message,
		uptime_s: info.uptimeSeconds,
		challenge: info.challenge,
	});
}

/** Throws `answer-malformed`. */
export function parseDeviceInformation(bytes: Uint8Array): DeviceInformation {
	const fields = parseJsonObject(bytes, { maxBytes: INFO_MAX_BYTES, code: "answer-malformed" });
	const code = fields.optionalString("error_code", 40);
	return {
		deviceId: fields.string("device_id", 32, NAME_PATTERN),
		deviceType: fields.string("device_type", 32, NAME_PATTERN),
		chip: fields.oneOf("chip", CHIPS),
		version: fields.string("version", VERSION_MAX_CHARS),
		builtAt: fields.optionalString("built_at", 40),
		idfVersion: fields.string("idf_version", 32),
		sdkVersion: fields.optionalString("sdk_version", 32),
		running: fields.string("running_slot", 16, NAME_PATTERN),
		boot: fields.string("boot_slot", 16, NAME_PATTERN),
		warning: fields.optionalString("warning", REASON_MAX_CHARS),
		isOnTrial: fields.boolean("on_trial"),
		slots: fields.objects("slots", 3).map(parseSlot),
		state: fields.oneOf("fota_state", DEVICE_STATES),
		progress: parseProgress(fields.optionalObject("progress")),
		error:
			code === undefined
				? undefined
				: {
						code: isErrorCode(code) ? code : "device-failed",
						message: fields.optionalString("error", REASON_MAX_CHARS) ?? "",
					},
		uptimeSeconds: fields.integer("uptime_s", 0, UINT32_MAX),
		challenge: fields.string("challenge", 2 * CHALLENGE_BYTES, CHALLENGE_PATTERN),
	};
}

function parseSlot(fields: JsonFields): SlotInformation {
	return {
		label: fields.string("label", 16, NAME_PATTERN),
		state: fields.oneOf("state", SLOT_STATES),
		version: fields.optionalString("version", VERSION_MAX_CHARS),
		sizeBytes: fields.integer("size", 0, 4 * IMAGE_MAX_BYTES),
	};
}

function parseProgress(fields: JsonFields | undefined): PushProgress | undefined {
	return (
		fields && {
			version: fields.string("version", VERSION_MAX_CHARS),
			hash: fields.string("hash", 64, HASH_PATTERN),
			chunksReceived: fields.integer("chunk_received", 0, CHUNK_COUNT_MAX),
			chunkCount: fields.integer("total_chunks", 1, CHUNK_COUNT_MAX),
		}
	);
}

/** The answer to an update that was taken, verified and activated. */
export interface PushResult {
	readonly version: string;
	readonly hash: string;
	/** The device restarts into the new firmware so long after the answer, or some seconds later. */
	readonly restartSeconds: number;
}

export function encodePushResult(result: PushResult): string {
	return JSON.stringify({
		result: "activated",
		version: result.version,
		hash: result.hash,
		restart_s: result.restartSeconds,
	});
}

/** Throws `answer-malformed`. */
export function parsePushResult(bytes: Uint8Array): PushResult {
	const fields = parseJsonObject(bytes, { maxBytes: INFO_MAX_BYTES, code: "answer-malformed" });
	fields.oneOf("result", ["activated"]);
	return {
		version: fields.string("version", VERSION_MAX_CHARS),
		hash: fields.string("hash", 64, HASH_PATTERN),
		restartSeconds: fields.integer("restart_s", 0, 3600),
	};
}

/** What became of a confirmation: `noted` is on trial still, and stays if it is well. */
export const CONFIRM_RESULTS = ["noted", "confirmed"] as const;
export type ConfirmResult = (typeof CONFIRM_RESULTS)[number];

export function encodeConfirmResult(result: ConfirmResult): string {
	return JSON.stringify({ result });
}

/** Throws `answer-malformed`. */
export function parseConfirmResult(bytes: Uint8Array): ConfirmResult {
	const fields = parseJsonObject(bytes, { maxBytes: INFO_MAX_BYTES, code: "answer-malformed" });
	return fields.oneOf("result", CONFIRM_RESULTS);
}
