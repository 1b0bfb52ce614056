// Brings about the end of a rollout that was stopped or aborted, some devices at a time: downloads under way are ended, and
// where it is to be rolled back, who runs the release already is ordered back. Called by the rollout task and right
// after the stop; what a crash leaves undone the next turn does.
import { announce } from "../announce.js";
import type { LogEvent } from "../domain/event.js";
import { type MemberStatus, OFFERING_STATES } from "../domain/rollout-plan.js";
import { isOpen } from "../domain/update-history.js";
import { turn } from "../turn.js";
import type { RolloutTools } from "./advance-rollouts.js";
import { appendAudit } from "./audit-store.js";
import { kindOf } from "./database.js";
import { findDevice } from "./device-store.js";
import { appendEvents } from "./event-store.js";
import { changeDevice } from "./fleet-store.js";
import { lockDevice } from "./locks.js";
import { abortUpdate } from "./record-update.js";
import { findReleaseById } from "./release-store.js";
import { addRollbackOrder, orderEvents } from "./rollback-order-store.js";
import { changeMember, countMembers, findMember, type MemberKey } from "./rollout-member-store.js";
import { changeRollout, findRollout, lockRollout } from "./rollout-store.js";
import { findStatus } from "./status-store.js";
import type { Records, ReleaseRow, RolloutRow } from "./tables.js";
import { findLatestUpdate } from "./update-store.js";

/** Devices in one go; the rest at the next turn. */
const BATCH_DEVICES = 2000;
/**
 * Of them in one transaction. On SQLite the whole process waits for the disk at each commit. PostgreSQL's locks are kept
 * until the commit: no device is to wait while the next one is waited for.
 */
const TRANSACTION_DEVICES = { sqlite: 50, postgres: 1 } as const;
/** Stands for "no order needed": the device runs something else, or nothing any more. */
const NO_ORDER = 0;

const NOT_BEGUN: readonly MemberStatus[] = ["offered", "downloading", "retrying"];

export async function settleRollout(tools: RolloutTools, rolloutId: number): Promise<void> {
	const { db } = tools;
	const row = await findRollout(db, rolloutId);
	if (row === undefined || row.is_settled === 1) return;
	const release = await findReleaseById(db, row.release_id);
	if (release === undefined) return;
	await settleDevices(tools, await membersIn(db, rolloutId, NOT_BEGUN), (transaction, deviceId, nowMs) =>
		endDownload(transaction, { rolloutId, deviceId }, nowMs),
	);
	if (row.state === "stopped") await orderMembersBack(tools, row, release);
	await closeSettled(db, rolloutId);
}

async function orderMembersBack(tools: RolloutTools, row: RolloutRow, release: ReleaseRow): Promise<void> {
	const deviceIds = await membersToOrder(tools.db, row.id);
	if (deviceIds.length === 0) return;
	// One line for all, before the first: they are ordered back in several transactions, and none may go unaudited.
	const details = { device_count: deviceIds.length };
	await tools.db.transaction().execute(async (transaction) => {
		const done = { actor: "server", action: "rollout.order-rollbacks", target: `rollout:${row.id}`, details };
		await appendAudit(transaction, { ...done, nowMs: tools.nowMs() });
	});
	await settleDevices(tools, deviceIds, (transaction, deviceId, nowMs) =>
		orderBack(transaction, { row, release, deviceId, nowMs }),
	);
}

/** Under the lock of the device; returns the events of what it did. */
type SettleDevice = (transaction: Records, deviceId: string, nowMs: number) => Promise<readonly LogEvent[]>;

async function settleDevices(
	{ db, log, nowMs }: RolloutTools,
	deviceIds: readonly string[],
	settle: SettleDevice,
): Promise<void> {
	const step = TRANSACTION_DEVICES[kindOf(db)];
	for (let from = 0; from < deviceIds.length; from += step) {
		const events = await db.transaction().execute(async (transaction) => {
			const news: LogEvent[] = [];
			for (const deviceId of deviceIds.slice(from, from + step)) {
				await lockDevice(transaction, deviceId);
				news.push(...(await settle(transaction, deviceId, nowMs())));
			}
			await appendEvents(transaction, news, nowMs());
			return news;
		});
		announce(log, events);
		await turn();
	}
}

/**
 * Under the lock of the device, when it is in service again: what it runs may have been withdrawn meanwhile, or before it
 * could obey, and an order ends with the service. Not where a rollout that was started later gives the same release.
 */
export async function reopenOrders(transaction: Records, deviceId: string): Promise<void> {
	const stopped = await transaction
		.selectFrom("rollout_devices as member")
		.innerJoin("rollouts", "rollouts.id", "member.rollout_id")
		.select("rollouts.id")
		.where("member.device_id", "=", deviceId)
		.where("member.status", "=", "succeeded")
		.where("rollouts.state", "=", "stopped")
		.where(({ exists, not, selectFrom }) =>
			not(
				exists(
					selectFrom("rollouts as later")
						.select("later.id")
						.whereRef("later.release_id", "=", "rollouts.release_id")
						.whereRef("later.started_at_ms", ">=", "rollouts.finished_at_ms")
						.where("later.state", "in", OFFERING_STATES),
				),
			),
		)
		.orderBy("rollouts.id")
		.execute();
	for (const { id: rolloutId } of stopped) {
		await lockRollout(transaction, rolloutId, "use");
		await changeMember(transaction, { rolloutId, deviceId }, { rollback_order_id: null });
		await changeRollout(transaction, rolloutId, { is_settled: 0 });
	}
}

// Under its lock: a device that comes back meanwhile (record-update.ts) is seen, or opens it again.
async function closeSettled(db: Records, rolloutId: number): Promise<void> {
	await db.transaction().execute(async (transaction) => {
		const row = await lockRollout(transaction, rolloutId, "change");
		if (row !== undefined && (await isSettled(transaction, row)))
			await changeRollout(transaction, rolloutId, { is_settled: 1 });
	});
}

async function membersIn(db: Records, rolloutId: number, statuses: readonly MemberStatus[]) {
	const rows = await db
		.selectFrom("rollout_devices")
		.select("device_id")
		.where("rollout_id", "=", rolloutId)
		.where("status", "in", statuses)
		.limit(BATCH_DEVICES)
		.execute();
	return rows.map((row) => row.device_id);
}

async function membersToOrder(db: Records, rolloutId: number): Promise<string[]> {
	const rows = await db
		.selectFrom("rollout_devices")
		.select("device_id")
		.where("rollout_id", "=", rolloutId)
		.where("status", "=", "succeeded")
		.where("rollback_order_id", "is", null)
		.limit(BATCH_DEVICES)
		.execute();
	return rows.map((row) => row.device_id);
}

async function endDownload(transaction: Records, key: MemberKey, nowMs: number): Promise<LogEvent[]> {
	const member = await findMember(transaction, key);
	if (member === undefined || !NOT_BEGUN.includes(member.status)) return [];
	const latest = await findLatestUpdate(transaction, key.deviceId);
	if (latest?.rollout_id === key.rolloutId && isOpen(latest.status)) {
		await abortUpdate(transaction, latest, nowMs);
		await changeDevice(transaction, key.deviceId, { withheld_release_id: latest.release_id });
	}
	const change = { status: "aborted", finished_at_ms: nowMs, lease_until_ms: null } as const;
	await changeMember(transaction, key, { ...change, next_try_at_ms: null });
	return [];
}

interface OrderBack {
	readonly row: RolloutRow;
	readonly release: ReleaseRow;
	readonly deviceId: string;
	readonly nowMs: number;
}

async function orderBack(
	transaction: Records,
	{ row, release, deviceId, nowMs }: OrderBack,
): Promise<LogEvent[]> {
	const key = { rolloutId: row.id, deviceId };
	const member = await findMember(transaction, key);
	if (member?.status !== "succeeded" || member.rollback_order_id !== null) return [];
	if (!(await isRunning(transaction, deviceId, release.version))) {
		await changeMember(transaction, key, { rollback_order_id: NO_ORDER });
		return [];
	}
	const reason = `rollout ${row.id} was stopped`;
	const firmware = { version: release.version, hash: release.hash };
	const order = await addRollbackOrder(transaction, { deviceId, reason, firmware, nowMs });
	await changeMember(transaction, key, { rollback_order_id: order.order_id });
	return orderEvents(order, { rollout_id: row.id });
}

// A device that went on to something else, or back by itself, would be sent the wrong way.
async function isRunning(db: Records, deviceId: string, version: string): Promise<boolean> {
	const device = await findDevice(db, deviceId);
	const status = await findStatus(db, deviceId);
	return device?.decommissioned_at_ms === null && status?.version === version;
}

// Who is about to boot the release is waited for: an order now could meet the firmware before.
async function isSettled(db: Records, row: RolloutRow): Promise<boolean> {
	const counts = await countMembers(db, row.id);
	const isLeft = (status: MemberStatus) => counts.some((item) => item.status === status);
	if (NOT_BEGUN.some(isLeft)) return false;
	if (row.state !== "stopped") return true;
	return !isLeft("installing") && (await membersToOrder(db, row.id)).length === 0;
}
