// What a status report means for the history of a device's updates: a download that is seen begins an update, its end
// finishes it. Pure; called by stores/record-update.ts with the device's newest update. A device repeats itself and
// loses reports, so each report is compared with what is known.
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import { CHUNK_SIZES_BYTES } from "../../src/protocol/limits.js";
import type { StatusReport } from "../../src/protocol/status-report.js";

export const UPDATE_STATUSES = [
	"pending",
	"downloading",
	"installing",
	"success",
	"failed",
	"rolled_back",
	"aborted",
] as const;
/** pending: offered by a rollout, no download seen yet. */
export type UpdateStatus = (typeof UPDATE_STATUSES)[number];
type EndStatus = "success" | "failed" | "rolled_back";

/** `error_code` of an update whose device fell silent: of the history only, no device says it. */
export const SILENT = "silent";

/** `error_code` of an update after whose restart the old firmware runs again and does not say why; likewise. */
export const CAME_BACK = "came-back";
export const CAME_BACK_ERROR = {
	code: CAME_BACK,
	message: "the device runs the old firmware again without a word",
};

/** Of a rollback that was ordered, whatever the release was like. */
export const ORDERED = "rollback-requested" satisfies ErrorCode;

/** Of failures after which a device refuses the release until it is signed anew (src/update/bookkeeping.ts). */
const KNOWN_BAD_CODES: readonly (string | null)[] = [
	"release-known-bad",
	"image-invalid",
	"chip-mismatch",
] satisfies ErrorCode[];

/** Whether a device refuses the release that it was updated to so, as far as its reports tell. */
export function isKnownBadAfter(update: {
	readonly status: UpdateStatus;
	readonly error_code: string | null;
}): boolean {
	return update.status === "rolled_back" || KNOWN_BAD_CODES.includes(update.error_code);
}

/** Behind them the next thing that a device says is said by the new firmware, or by the old one again. */
const LAST_STAGES: readonly (string | undefined)[] = ["WRITING", "REBOOTING", "BOOT_VERIFICATION"];

export interface KnownUpdate {
	readonly status: UpdateStatus;
	readonly stage: string | undefined;
	readonly hash: string | undefined;
	readonly toVersion: string | undefined;
	readonly errorCode: string | undefined;
	readonly bytesReceived: number;
}

/** What was the matter when an update failed. */
export interface FlightRecord {
	/** State in which it failed, by the device, or its last one before, by its reports. */
	readonly stage: string | null;
	/** How much of the image lay in the slot. */
	readonly offset_bytes: number | null;
	readonly error_code: string;
	readonly error: string;
	readonly reset_reason: string;
	readonly memory_min_bytes: number | null;
	readonly rssi_dbm: number | null;
	readonly uptime_s: number;
}

export interface UpdateFields {
	readonly status: UpdateStatus;
	readonly stage?: string | undefined;
	readonly error?: { readonly code: string; readonly message: string } | undefined;
	readonly flightRecord?: FlightRecord | undefined;
}

/** "begin": a new update; the newest one, where it is open, is given up. */
export type UpdateChange = { readonly kind: "begin" | "change" } & UpdateFields;

export function isOpen(status: UpdateStatus): boolean {
	return status === "pending" || status === "downloading" || status === "installing";
}

/** Undefined: the report changes nothing. */
export function changeOfReport(
	latest: KnownUpdate | undefined,
	report: StatusReport,
): UpdateChange | undefined {
	if (latest !== undefined && isBackIdle(latest, report)) {
		const flightRecord = flightRecordOf(latest, report, CAME_BACK_ERROR);
		return { kind: "change", status: "failed", error: CAME_BACK_ERROR, flightRecord };
	}
	const said = statusOf(report, latest);
	if (said === undefined) return undefined;
	const isSame = latest !== undefined && isAbout(latest, report);
	const kind = isSame ? kindOfSame(latest, report, said) : kindOfOther(latest, report);
	if (kind === undefined) return undefined;
	if (said === "downloading" || said === "installing")
		return { kind, status: said, stage: report.state, ...noticeOf(report) };
	if (said === "success") return { kind, status: said };
	// Nothing failed: the operator wanted it back.
	if (report.error?.code === ORDERED) return { kind, status: said, error: report.error };
	const flightRecord = flightRecordOf(isSame ? latest : undefined, report, report.error);
	return { kind, status: said, error: report.error, flightRecord };
}

/**
 * A device asks for updates with this version: is it back on the old firmware behind the restart? It does not ask between
 * its last report before and that, and its requests come in their order (docs/protocol.md §3.2).
 */
export function hasComeBack({ status, stage, toVersion }: KnownUpdate, runningVersion: string): boolean {
	if (status !== "installing" || !LAST_STAGES.includes(stage)) return false;
	return toVersion !== undefined && toVersion !== runningVersion;
}

// With a target, an error or a rollback the report says itself what became of the update.
function isBackIdle(latest: KnownUpdate, report: StatusReport): boolean {
	const { state, bootStatus, isRolledBack, target, version } = report;
	const isIdle = state === "IDLE" && bootStatus !== "boot_verification";
	return isIdle && isRolledBack !== true && target === undefined && hasComeBack(latest, version);
}

/** What the report says of an update; undefined: nothing. */
function statusOf(report: StatusReport, latest: KnownUpdate | undefined): UpdateStatus | undefined {
	switch (report.state) {
		case "DOWNLOADING":
			return "downloading";
		case "VERIFYING":
		case "WRITING":
		case "REBOOTING":
		case "BOOT_VERIFICATION":
			return "installing";
		case "COMPLETED":
			return "success";
		case "ROLLBACK":
			// Announced only, it may still fail; told once the old firmware runs again.
			return report.isRolledBack === true ? "rolled_back" : undefined;
		case "FAILED":
			// An order that cannot be carried out says nothing of an update.
			return report.error !== undefined && report.rollbackOrderId === undefined ? "failed" : undefined;
		default:
			return report.isRolledBack === true ? "rolled_back" : idleStatusOf(report, latest);
	}
}

// Refused before the download, or found running what an open update was to bring (by push or by cable).
function idleStatusOf(report: StatusReport, latest: KnownUpdate | undefined): UpdateStatus | undefined {
	if (report.error !== undefined) return report.target === undefined ? undefined : "failed";
	const isThere = latest !== undefined && isOpen(latest.status) && latest.toVersion === report.version;
	return isThere && report.bootStatus !== "boot_verification" ? "success" : undefined;
}

// Without a target it is about the update under way, or (a rollback) about the one before.
function isAbout({ status, hash }: KnownUpdate, { target, isRolledBack }: StatusReport): boolean {
	if (target !== undefined) return target.hash === hash;
	return isOpen(status) || (isRolledBack === true && status === "success");
}

function kindOfSame(
	latest: KnownUpdate,
	report: StatusReport,
	said: UpdateStatus,
): UpdateChange["kind"] | undefined {
	if (isOpen(latest.status)) return "change";
	if (isTakenUp(latest, said)) return "change";
	// Taken back: what still comes of the download changes nothing, but one that got through counts.
	if (latest.status === "aborted") return said === "downloading" || said === "failed" ? undefined : "change";
	if (said === "downloading" || said === "installing")
		return latest.status === "success" && said === "installing" ? undefined : "begin";
	if (latest.status === "success" && said === "rolled_back") return "change";
	return isRepeated(latest, report, said as EndStatus) ? undefined : "begin";
}

// What the server had to guess, the device knows better. After it came back a download is a new try, though.
function isTakenUp({ status, errorCode }: KnownUpdate, said: UpdateStatus): boolean {
	if (status !== "failed") return false;
	return errorCode === SILENT || (errorCode === CAME_BACK && said !== "downloading");
}

function isRepeated(latest: KnownUpdate, report: StatusReport, said: EndStatus): boolean {
	// Refused before any download: its end is known already, whatever it was.
	if (said === "failed" && report.state !== "FAILED") return true;
	if (said !== latest.status) return said === "failed" && latest.status === "rolled_back";
	return said !== "failed" || report.error?.code === latest.errorCode;
}

function kindOfOther(
	latest: KnownUpdate | undefined,
	report: StatusReport,
): UpdateChange["kind"] | undefined {
	if (report.target !== undefined) return "begin";
	// An image that nobody names (a trial after storage was lost) is known by the version that runs.
	const isNamed = report.state === "COMPLETED" && latest?.toVersion !== report.version;
	return isNamed ? "begin" : undefined;
}

function noticeOf({ error }: StatusReport): Pick<UpdateFields, "error"> {
	return error === undefined ? {} : { error };
}

function flightRecordOf(
	latest: KnownUpdate | undefined,
	report: StatusReport,
	error: UpdateFields["error"],
): FlightRecord {
	// Told by the firmware before it: what is measured now is not of the one that failed.
	const isOfAnother = report.isRolledBack === true;
	return {
		stage: report.stage ?? latest?.stage ?? null,
		offset_bytes: report.offsetBytes ?? latest?.bytesReceived ?? null,
		error_code: error?.code ?? ("device-failed" satisfies ErrorCode),
		error: error?.message ?? "",
		reset_reason: report.resetReason,
		memory_min_bytes: isOfAnother ? null : (report.memoryMinBytes ?? null),
		rssi_dbm: isOfAnother ? null : (report.rssiDbm ?? null),
		uptime_s: report.uptimeSeconds,
	};
}

/** How much of an image of this size has come; undefined when the report does not say. */
export function bytesReceived(report: StatusReport, sizeBytes: number | undefined): number | undefined {
	const { offsetBytes, chunksReceived, chunkCount } = report;
	if (offsetBytes !== undefined) return Math.min(offsetBytes, sizeBytes ?? offsetBytes);
	if (chunksReceived === undefined || chunkCount === undefined || sizeBytes === undefined) return undefined;
	const chunkBytes = CHUNK_SIZES_BYTES.find((bytes) => Math.ceil(sizeBytes / bytes) === chunkCount);
	return Math.min(sizeBytes, chunksReceived * (chunkBytes ?? Math.ceil(sizeBytes / chunkCount)));
}
