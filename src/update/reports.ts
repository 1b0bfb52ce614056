// What the server is told, built from what is known: pure. Used by the reporter and the runner. When a report is sent,
// and whether again, is the reporter's business.
import { type FotaError, SECURITY_CODES } from "../protocol/error-codes.js";
import { chunkCountOf } from "../protocol/manifest.js";
import type { BootStatus, ReportedError, ReportedSlot, StatusReport } from "../protocol/status-report.js";
import { type FailurePlace, placeOf } from "./failure-place.js";
import { plainMessage } from "./fault.js";
import type { PendingOutcome, Release } from "./persistent-state.js";
import type { Device, SlotInfo } from "./ports.js";
import type { State } from "./states.js";

export interface ReportFacts {
	readonly state: State;
	readonly device: Device;
	readonly running: SlotInfo;
	readonly isOnTrial: boolean;
	readonly nowMs: number;
	/** What the slots hold, where the server is to be told. */
	readonly slots?: readonly ReportedSlot[] | undefined;
}

/** Something that went wrong without ending an update in the books. */
export interface Notice {
	readonly error: FotaError;
	readonly release: ReleaseName | undefined;
	/** Of an update that ended with it. */
	readonly place?: FailurePlace | undefined;
}

export type ReleaseName = Pick<Release, "version" | "hash">;

/** The device as it is now. */
export function currentReport(facts: ReportFacts): StatusReport {
	const { state, device, running } = facts;
	const target = targetOf(state);
	return {
		state: state.name,
		bootStatus: bootStatusOf(facts),
		deviceType: device.deviceType,
		chip: device.chip,
		version: device.version,
		slot: running.label,
		resetReason: device.resetReason,
		uptimeSeconds: Math.floor(facts.nowMs / 1000),
		target: target && { version: target.version, hash: target.hash },
		...chunksOf(state),
		isVerified: state.name === "WRITING" || state.name === "REBOOTING" ? true : undefined,
		trialBoots: facts.isOnTrial ? Math.min(255, running.trialBoots) : 0,
		offsetBytes: placeOf(state)?.offsetBytes,
		memoryMinBytes: device.memoryMinBytes(),
		rssiDbm: device.rssiDbm(),
		slots: facts.slots,
		...errorOf(state),
	};
}

/** The same, with something that went wrong and did not end an update. */
export function noticeReport(facts: ReportFacts, { error, release, place }: Notice): StatusReport {
	const report = currentReport(facts);
	return {
		...report,
		target: release ? { version: release.version, hash: release.hash } : report.target,
		...place,
		...withError(error),
	};
}

/** How an update ended, perhaps some starts ago. */
export function outcomeReport(facts: ReportFacts, outcome: PendingOutcome): StatusReport {
	const { kind, version, hash, code, message, orderId, stage, offsetBytes } = outcome;
	const isRolledBack = kind === "rolled-back";
	const bootStatus = isRolledBack && orderId === undefined ? "boot_failed" : bootStatusOf(facts);
	return {
		...currentReport(facts),
		state: kind === "completed" ? "COMPLETED" : isRolledBack ? "ROLLBACK" : "FAILED",
		bootStatus: kind === "completed" ? "boot_successful" : bootStatus,
		target: hash === undefined ? undefined : { version, hash },
		chunksReceived: undefined,
		chunkCount: undefined,
		stage,
		offsetBytes,
		isVerified: kind === "completed" ? true : undefined,
		isRolledBack: isRolledBack ? true : undefined,
		rollbackOrderId: orderId,
		error: code && { code, message },
		isSecurityEvent: code && SECURITY_CODES.includes(code) ? true : undefined,
	};
}

function bootStatusOf(facts: ReportFacts): BootStatus {
	if (facts.state.name === "REBOOTING") return "pending_reboot";
	if (facts.state.name === "COMPLETED") return "boot_successful";
	return facts.isOnTrial ? "boot_verification" : "normal";
}

function targetOf(state: State): Release | undefined {
	switch (state.name) {
		case "DOWNLOADING":
			return state.offer.release;
		case "VERIFYING":
		case "WRITING":
		case "REBOOTING":
		case "COMPLETED":
			return state.release;
		case "BOOT_VERIFICATION":
			return state.trial.release;
		default:
			return undefined;
	}
}

function chunksOf(state: State): Pick<StatusReport, "chunksReceived" | "chunkCount"> {
	if (state.name !== "DOWNLOADING") return {};
	const { release, chunkBytes } = state.offer;
	return {
		chunksReceived: state.nextChunk ?? 0,
		chunkCount: chunkCountOf(release.sizeBytes, chunkBytes),
	};
}

function errorOf(state: State): Pick<StatusReport, "error" | "isSecurityEvent" | "rollbackOrderId"> {
	if (state.name === "FAILED") return withError(state.error);
	if (state.name !== "ROLLBACK" || state.attempt === undefined) return {};
	const { code, message, orderId } = state.left;
	return { error: { code, message: plainMessage(message) }, rollbackOrderId: orderId };
}

function withError(error: FotaError): { error: ReportedError; isSecurityEvent?: true } {
	const reported = { code: error.code, message: plainMessage(error.message) };
	return SECURITY_CODES.includes(error.code)
		? { error: reported, isSecurityEvent: true }
		: { error: reported };
}
