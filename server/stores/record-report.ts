// Takes a status report into the database. Status, slots, events, the history of updates and the end of a rollback order
// are one transaction: an accepted report is never half recorded. Called by the routes on which devices report.
import type { FastifyBaseLogger } from "fastify";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { StatusReport } from "../../src/protocol/status-report.js";
import { announce } from "../announce.js";
import { SLOTS_KEPT_MAX, slotsOfReport, slotsToKeep } from "../domain/device-slots.js";
import type { LogEvent } from "../domain/event.js";
import { eventsOfReport, isImageVerified, type ReportBefore } from "../domain/report-events.js";
import type { RolloutJudge } from "../rollout-judge.js";
import { findDevice, isSameBoard } from "./device-store.js";
import { appendEvents } from "./event-store.js";
import { findSlots, forgetOtherSlots, saveSlots } from "./fleet-store.js";
import { lockDevice } from "./locks.js";
import { recordUpdate } from "./record-update.js";
import {
	findOrderInForce,
	findPendingOrder,
	findRunning,
	finishOrders,
	voidOvertakenOrder,
} from "./rollback-order-store.js";
import { findStatus, saveStatus } from "./status-store.js";
import type { DeviceRow, DeviceStatusRow, Records } from "./tables.js";

export interface ReportTools {
	readonly db: Records;
	readonly log: FastifyBaseLogger;
	readonly nowMs: () => number;
	readonly rolloutJudge: RolloutJudge;
}

export interface ReportOutcome {
	readonly isRollbackPending: boolean;
}

export interface ReportSender {
	/** As it was let in. */
	readonly device: DeviceRow;
	/** Undefined for an old device, without one. */
	readonly nonce: number | undefined;
}

interface Recorded extends ReportOutcome {
	readonly events: readonly LogEvent[];
	/** Where a device failed that belongs to a rollout. */
	readonly rolloutId: number | undefined;
}

/** Throws `auth-failed`, `server-unavailable`. */
export async function recordReport(
	tools: ReportTools,
	sender: ReportSender,
	report: StatusReport,
): Promise<ReportOutcome> {
	const nowMs = tools.nowMs();
	const recorded = await tools.db
		.transaction()
		.execute((transaction) => record(transaction, sender, report, nowMs));
	announce(tools.log, recorded.events);
	// Behind the report's own transaction, whose device it would hold while it waits for others.
	if (recorded.rolloutId !== undefined) tools.rolloutJudge.judge(recorded.rolloutId);
	return { isRollbackPending: recorded.isRollbackPending };
}

async function record(
	db: Records,
	{ device, nonce }: ReportSender,
	report: StatusReport,
	nowMs: number,
): Promise<Recorded> {
	const { device_id: deviceId, device_type: deviceType } = device;
	await lockDevice(db, deviceId);
	await checkStillLetIn(db, device);
	const row = await findStatus(db, deviceId);
	checkOrder(row, nonce);
	const before = row && reportOf(row);
	const events = eventsOfReport(deviceId, before, report);
	await saveStatus(
		db,
		deviceId,
		{ ...report, isVerified: isImageVerified(before, report) },
		{ nonce, nowMs },
	);
	if (mayMoveSlots(row, report)) await recordSlots(db, deviceId, report, nowMs);
	const told = { deviceId, deviceType, report, versionBefore: row?.version, nowMs };
	const { rolloutId, events: historyEvents } = await recordUpdate(db, told);
	// Announced only (state ROLLBACK, not yet rolled back), it may still be lost to a power cut.
	if (report.rollbackOrderId !== undefined && (report.isRolledBack || report.state !== "ROLLBACK"))
		await finishOrders(db, { deviceId, orderId: report.rollbackOrderId, nowMs });
	const { isRollbackPending, voided } = await weighOrder(db, { deviceId, report, nowMs });
	const news = [...events, ...historyEvents, ...voided];
	await appendEvents(db, news, nowMs);
	return { isRollbackPending, events: news, rolloutId };
}

async function recordSlots(
	db: Records,
	deviceId: string,
	report: StatusReport,
	nowMs: number,
): Promise<void> {
	const known = await findSlots(db, deviceId);
	const changed = slotsOfReport(known, report);
	await saveSlots(db, deviceId, changed, nowMs);
	if (known.length + changed.length > SLOTS_KEPT_MAX)
		await forgetOtherSlots(db, deviceId, slotsToKeep(known, changed, report));
}

/**
 * Another board may have been given the name, and another key, since the report was let in, or the device was taken out of
 * service: its update has ended then, and would be taken up again.
 */
async function checkStillLetIn(db: Records, device: DeviceRow): Promise<void> {
	const now = await findDevice(db, device.device_id);
	if (now === undefined || !isSameBoard(now, device))
		throw new FotaError("auth-failed", "the device has another key by now");
	if (now.decommissioned_at_ms !== null)
		throw new FotaError("auth-failed", "the device was taken out of service");
}

/**
 * A report that was held up for longer than the device waits comes behind the next one, by another server or through a
 * database that stood still: what it says was true before.
 */
function checkOrder(last: DeviceStatusRow | undefined, nonce: number | undefined): void {
	if (nonce !== undefined && nonce < (last?.nonce ?? 0))
		throw new FotaError("server-unavailable", "a later report of the device was recorded already");
}

async function weighOrder(
	db: Records,
	told: { readonly deviceId: string; readonly report: StatusReport; readonly nowMs: number },
): Promise<ReportOutcome & { readonly voided: readonly LogEvent[] }> {
	const { deviceId, report, nowMs } = told;
	if ((await findPendingOrder(db, deviceId)) === undefined) return { isRollbackPending: false, voided: [] };
	const running = await findRunning(db, deviceId);
	const voided = isConfirmed(report) ? await voidOvertakenOrder(db, { deviceId, running, nowMs }) : [];
	return { isRollbackPending: (await findOrderInForce(db, deviceId)) !== undefined, voided };
}

// On trial it may still go back to what the order is about, and one that is just going back is about to say so.
function isConfirmed({ state, bootStatus, isRolledBack }: StatusReport): boolean {
	const isOnTrial = state === "BOOT_VERIFICATION" || bootStatus === "boot_verification";
	return !isOnTrial && state !== "ROLLBACK" && isRolledBack !== true;
}

/** Most reports tell nothing new of the slots; those are not looked up for them. */
function mayMoveSlots(before: DeviceStatusRow | undefined, report: StatusReport): boolean {
	if (report.slots !== undefined || before === undefined) return true;
	return (
		before.slot !== report.slot ||
		before.version !== report.version ||
		before.state !== report.state ||
		before.trial_boots !== (report.trialBoots ?? null)
	);
}

function reportOf(row: DeviceStatusRow): ReportBefore {
	return {
		state: row.state,
		bootStatus: row.boot_status,
		uptimeSeconds: row.uptime_s,
		targetHash: row.target_hash ?? undefined,
		chunksReceived: row.chunks_received ?? undefined,
		isVerified: row.is_verified === 1,
		isRolledBack: row.is_rolled_back === 1,
		errorCode: row.error_code ?? undefined,
	};
}
