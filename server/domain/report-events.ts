// What a status report means for the logs, compared with the device's report before it. Pure; called by the status
// route. A device repeats itself (it reports until it is accepted), so only changes become events.
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import type { StatusReport } from "../../src/protocol/status-report.js";
import type { EventDetails, FotaEvent, LogEvent, SecurityEvent } from "./event.js";
import { ORDERED } from "./update-history.js";

/** What the report before said. */
export interface ReportBefore {
	readonly state: string;
	readonly bootStatus: string;
	readonly uptimeSeconds: number;
	readonly targetHash: string | undefined;
	readonly chunksReceived: number | undefined;
	readonly isVerified: boolean;
	readonly isRolledBack: boolean;
	readonly errorCode: string | undefined;
}

/** Codes that say that a release or its image did not pass a check. */
const VERIFICATION_CODES: readonly ErrorCode[] = [
	"signature-invalid",
	"statement-malformed",
	"manifest-mismatch",
	"device-type-mismatch",
	"chip-mismatch",
	"version-too-old",
	"security-downgrade",
	"image-too-large",
	"chunk-mac-mismatch",
	"hash-mismatch",
	"image-invalid",
];

export function eventsOfReport(
	deviceId: string,
	before: ReportBefore | undefined,
	report: StatusReport,
): LogEvent[] {
	const isSameTarget = before !== undefined && isAboutSameTarget(before, report);
	const known = { before, report, isSameTarget };
	const types = [...downloadEvents(known), ...bootEvents(known), ...endEvents(known)];
	const details = detailsOf(report);
	const events: LogEvent[] = types.map((type) => ({ log: "fota", type, deviceId, details }));
	for (const type of securityEvents(known)) events.push({ log: "security", type, deviceId, details });
	return events;
}

// A rollback is announced before the restart without a target, and told with one after it.
function isAboutSameTarget(before: ReportBefore, report: StatusReport): boolean {
	const isAnnouncement = before.state === "ROLLBACK" && before.targetHash === undefined;
	return isAnnouncement || before.targetHash === report.target?.hash;
}

/**
 * Whether the image a report is about has passed its check: kept with the report, for the next one to be compared with.
 * A device says so before it restarts and again when it is confirmed, but not while on trial in between, so it stays
 * true over the trial.
 */
export function isImageVerified(before: ReportBefore | undefined, report: StatusReport): boolean | undefined {
	const isTrial = report.state === "BOOT_VERIFICATION" && before?.targetHash === report.target?.hash;
	return report.isVerified ?? (isTrial && before?.isVerified ? true : undefined);
}

interface Known {
	readonly before: ReportBefore | undefined;
	readonly report: StatusReport;
	readonly isSameTarget: boolean;
}

function downloadEvents({ before, report, isSameTarget }: Known): FotaEvent["type"][] {
	const types: FotaEvent["type"][] = [];
	const { chunksReceived } = report;
	if (chunksReceived !== undefined && chunksReceived > 0) {
		if (!isSameTarget || chunksReceived !== before?.chunksReceived) types.push("chunk_received");
	}
	if (report.isVerified === true && !(isSameTarget && before?.isVerified)) types.push("firmware_verified");
	return types;
}

function bootEvents({ before, report, isSameTarget }: Known): FotaEvent["type"][] {
	const types: FotaEvent["type"][] = [];
	const isNewBootStatus = before?.bootStatus !== report.bootStatus || !isSameTarget;
	const hasRestarted = before === undefined || report.uptimeSeconds < before.uptimeSeconds;
	if (before?.bootStatus !== report.bootStatus || hasRestarted) types.push("boot_status");
	if (isNewBootStatus && report.bootStatus === "pending_reboot") types.push("firmware_applied");
	if (isNewBootStatus && report.bootStatus === "boot_successful") types.push("boot_successful");
	if (isNewBootStatus && report.bootStatus === "boot_failed") types.push("boot_failed");
	return types;
}

function endEvents(known: Known): FotaEvent["type"][] {
	const { before, report, isSameTarget } = known;
	const types: FotaEvent["type"][] = [];
	if (isRollbackNew(known)) types.push("rollback_triggered");
	const isNewError = report.error !== undefined && !(isSameTarget && before?.errorCode === report.error.code);
	// What an operator ordered is told as the rollback that it is.
	const isFailure = report.error !== undefined && report.error.code !== ORDERED;
	if (isFailure && (isNewError || report.isSecurityEvent === true)) {
		types.push(VERIFICATION_CODES.includes(report.error.code) ? "verification_failed" : "update_failed");
	}
	if (report.state === "COMPLETED" && !(isSameTarget && before?.state === "COMPLETED"))
		types.push("fota_completed");
	return types;
}

function securityEvents(known: Known): SecurityEvent["type"][] {
	const types: SecurityEvent["type"][] = [];
	if (known.report.isSecurityEvent === true) types.push("device_security_event");
	if (isRollbackNew(known)) types.push("rollback_triggered");
	return types;
}

// A device says it twice: in state ROLLBACK before it restarts (if it can), and once the old firmware runs again.
function isRollbackNew({ before, report, isSameTarget }: Known): boolean {
	const isRollback = report.state === "ROLLBACK" || report.isRolledBack === true;
	const wasRollback = before !== undefined && (before.state === "ROLLBACK" || before.isRolledBack);
	return isRollback && !(wasRollback && isSameTarget);
}

function detailsOf(report: StatusReport): EventDetails {
	return {
		state: report.state,
		boot_status: report.bootStatus,
		version: report.version,
		slot: report.slot,
		reset_reason: report.resetReason,
		uptime_s: report.uptimeSeconds,
		target_version: report.target?.version,
		chunk_received: report.chunksReceived,
		total_chunks: report.chunkCount,
		trial_boots: report.trialBoots,
		rollback_order_id: report.rollbackOrderId,
		error_code: report.error?.code,
		error: report.error?.message,
	};
}
