// What a device tells the server about itself, and the server's acknowledgement (docs/protocol.md §7).
import { type ErrorCode, FotaError, isErrorCode } from "./error-codes.js";
import { HASH_PATTERN, type JsonFields, NAME_PATTERN, parseJsonObject, plainText } from "./json.js";
import {
	ANSWER_MAX_BYTES,
	CHUNK_COUNT_MAX,
	COUNTER_MAX,
	IMAGE_MAX_BYTES,
	REASON_MAX_CHARS,
	RSSI_MIN_DBM,
	SLOTS_MAX,
	STATUS_MAX_BYTES,
	UINT32_MAX,
	VERSION_MAX_CHARS,
} from "./limits.js";
import { CHIPS, type Chip } from "./release-statement.js";

export const STATUS_PATH = "/api/inverter/fota/status";

export const DEVICE_STATES = [
	"IDLE",
	"CHECKING_MANIFEST",
	"DOWNLOADING",
	"VERIFYING",
	"WRITING",
	"REBOOTING",
	"BOOT_VERIFICATION",
	"ROLLBACK",
	"COMPLETED",
	"FAILED",
] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

export const BOOT_STATUSES = [
	"normal",
	"pending_reboot",
	"boot_verification",
	"boot_successful",
	"boot_failed",
] as const;
/**
 * normal: a confirmed firmware runs. pending_reboot: a new image is activated, restart follows. boot_verification: a new
 * image is on trial. boot_successful: it has just been confirmed. boot_failed: it was rolled back, the old one runs.
 */
export type BootStatus = (typeof BOOT_STATUSES)[number];

export const SLOT_STATES = ["running", "previous", "trial", "invalid", "empty", "unknown"] as const;
/** previous: an image that can be gone back to. invalid: one that was rolled back or is not whole. */
export type SlotState = (typeof SLOT_STATES)[number];

export interface ReportedSlot {
	/** ota_0, ota_1, factory. */
	readonly label: string;
	readonly state: SlotState;
	readonly version: string | undefined;
	/** SHA-256 of the image, hex. */
	readonly hash: string | undefined;
}

export interface ReportedError {
	readonly code: ErrorCode;
	readonly message: string;
}

export interface StatusReport {
	readonly state: DeviceState;
	readonly bootStatus: BootStatus;
	readonly deviceType: string;
	readonly chip: Chip;
	/** The running firmware. */
	readonly version: string;
	/** Label of the running slot: ota_0, ota_1, factory. */
	readonly slot: string;
	/** Why the chip last restarted, as ESP-IDF names it (ESP_RST_*), in lower case: poweron, sw, panic, task_wdt … */
	readonly resetReason: string;
	readonly uptimeSeconds: number;
	/** The release under way or just ended. */
	readonly target?: { readonly version: string; readonly hash: string } | undefined;
	readonly chunksReceived?: number | undefined;
	readonly chunkCount?: number | undefined;
	/** True once the image read back from flash has the signed hash. */
	readonly isVerified?: boolean | undefined;
	/** Trial boots so far, this one included; 0 when not on trial. */
	readonly trialBoots?: number | undefined;
	/** True once the old firmware runs again after a rollback. */
	readonly isRolledBack?: boolean | undefined;
	/** The operator's order that was carried out. */
	readonly rollbackOrderId?: number | undefined;
	readonly error?: ReportedError | undefined;
	/** True when `error` is a security event for the server's security log. */
	readonly isSecurityEvent?: boolean | undefined;
	/** State in which the update failed that `error` ended. */
	readonly stage?: DeviceState | undefined;
	/** How much of the image under way lies in the slot, verified; of one that failed: when it did. */
	readonly offsetBytes?: number | undefined;
	/** Least memory that was free since the start, in bytes. */
	readonly memoryMinBytes?: number | undefined;
	/** Signal strength of the access point. */
	readonly rssiDbm?: number | undefined;
	/** What the slots hold, as far as the device knows. */
	readonly slots?: readonly ReportedSlot[] | undefined;
}

/** Flat JSON with the field names of the old devices; `progress` in percent is for people. */
export function encodeStatusReport(report: StatusReport): string {
	const { chunksReceived, chunkCount } = report;
	return JSON.stringify({
		fota_state: report.state,
		boot_status: report.bootStatus,
		device_type: report.deviceType,
		chip: report.chip,
		version: report.version,
		slot: report.slot,
		reset_reason: report.resetReason,
		uptime_s: report.uptimeSeconds,
		target_version: report.target?.version,
		target_hash: report.target?.hash,
		chunk_received: chunksReceived,
		total_chunks: chunkCount,
		progress:
			chunksReceived !== undefined && chunkCount
				? Math.floor((100 * chunksReceived) / chunkCount)
				: undefined,
		verified: report.isVerified,
		trial_boots: report.trialBoots,
		rollback: report.isRolledBack,
		rollback_order_id: report.rollbackOrderId,
		error_code: report.error?.code,
		error: report.error && plainText(report.error.message, REASON_MAX_CHARS),
		security_event: report.isSecurityEvent,
		stage: report.stage,
		offset_bytes: report.offsetBytes,
		memory_min_bytes: report.memoryMinBytes,
		rssi_dbm: report.rssiDbm,
		slots: report.slots?.map(encodeSlot),
	});
}

function encodeSlot({ label, state, version, hash }: ReportedSlot): string {
	return `${label} ${state} ${version ?? "-"} ${hash ?? "-"}`;
}

/** Throws `request-malformed`. */
export function parseStatusReport(bytes: Uint8Array): StatusReport {
	const fields = parseJsonObject(bytes, { maxBytes: STATUS_MAX_BYTES, code: "request-malformed" });
	return {
		state: fields.oneOf("fota_state", DEVICE_STATES),
		bootStatus: fields.oneOf("boot_status", BOOT_STATUSES),
		deviceType: fields.string("device_type", 32, NAME_PATTERN),
		chip: fields.oneOf("chip", CHIPS),
		version: fields.string("version", VERSION_MAX_CHARS),
		slot: fields.string("slot", 16, NAME_PATTERN),
		resetReason: fields.string("reset_reason", 16, /^[a-z0-9_]+$/),
		uptimeSeconds: fields.integer("uptime_s", 0, UINT32_MAX),
		target: fields.has("target_version")
			? {
					version: fields.string("target_version", VERSION_MAX_CHARS),
					hash: fields.string("target_hash", 64, HASH_PATTERN),
				}
			: undefined,
		chunksReceived: fields.optionalInteger("chunk_received", 0, CHUNK_COUNT_MAX),
		chunkCount: fields.optionalInteger("total_chunks", 1, CHUNK_COUNT_MAX),
		isVerified: fields.optionalBoolean("verified"),
		trialBoots: fields.optionalInteger("trial_boots", 0, 255),
		isRolledBack: fields.optionalBoolean("rollback"),
		rollbackOrderId: fields.optionalInteger("rollback_order_id", 1, COUNTER_MAX),
		error: parseError(fields),
		isSecurityEvent: fields.optionalBoolean("security_event"),
		stage: fields.has("stage") ? fields.oneOf("stage", DEVICE_STATES) : undefined,
		offsetBytes: fields.optionalInteger("offset_bytes", 0, IMAGE_MAX_BYTES),
		memoryMinBytes: fields.optionalInteger("memory_min_bytes", 0, UINT32_MAX),
		rssiDbm: fields.optionalInteger("rssi_dbm", RSSI_MIN_DBM, 0),
		slots: fields.has("slots") ? fields.strings("slots", SLOTS_MAX, SLOT_PATTERN).map(parseSlot) : undefined,
	};
}

/** Label, state, version, hash; "-" for what is not known. */
const SLOT_PATTERN =
	/^[A-Za-z0-9][A-Za-z0-9._-]{0,15} (running|previous|trial|invalid|empty|unknown) [!-~]{1,31} ([0-9a-f]{64}|-)$/;

function parseSlot(text: string): ReportedSlot {
	const [label = "", state, version, hash] = text.split(" ");
	return {
		label,
		state: state as SlotState,
		version: version === "-" ? undefined : version,
		hash: hash === "-" ? undefined : hash,
	};
}

function parseError(fields: JsonFields): ReportedError | undefined {
	if (!fields.has("error_code")) return undefined;
	const code = fields.string("error_code", 40);
	// A newer device's code: refused, its report would be sent for ever and hold back all behind it.
	if (!isErrorCode(code)) return { code: "device-failed", message: code };
	return { code, message: fields.optionalString("error", REASON_MAX_CHARS) ?? "" };
}

export interface StatusAnswer {
	/** A rollback order waits: ask rollback-status now rather than at the next poll. */
	readonly isRollbackPending: boolean;
}

export function encodeStatusAnswer(answer: StatusAnswer): string {
	return JSON.stringify({ accepted: true, rollback_pending: answer.isRollbackPending });
}

/** Throws `answer-malformed`. */
export function parseStatusAnswer(bytes: Uint8Array): StatusAnswer {
	const fields = parseJsonObject(bytes, { maxBytes: ANSWER_MAX_BYTES, code: "answer-malformed" });
	if (!fields.boolean("accepted")) throw new FotaError("answer-malformed", "not accepted");
	return { isRollbackPending: fields.optionalBoolean("rollback_pending") ?? false };
}
