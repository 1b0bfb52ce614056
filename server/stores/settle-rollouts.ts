// Brings about the end of a rollout that was stopped or aborted, device by device: downloads under way are ended, and
// where it is to be rolled back, who runs the release already is ordered back. Called by the rollout task and right
// after the stop; what a crash leaves undone the next turn does.
import { announce } from "../announce.js";
import type { MemberStatus } from "../domain/rollout-plan.js";
import { isOpen } from "../domain/update-history.js";
import type { RolloutTools } from "./advance-rollouts.js";
import { appendAudit } from "./audit-store.js";
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
/** Stands for "no order needed": the device runs something else, or nothing any more. */
const NO_ORDER = 0;

const NOT_BEGUN: readonly MemberStatus[] = ["offered", "downloading", "retrying"];

export async function settleRollout(tools: RolloutTools, rolloutId: number): Promise<void> {
	const { db, nowMs } = tools;
	const row = await findRollout(db, rolloutId);
	if (row === undefined || row.is_settled === 1) return;
	const release = await findReleaseById(db, row.release_id);
	if (release === undefined) return;
	for (const deviceId of await membersIn(db, rolloutId, NOT_BEGUN))
		await endDownload(db, { rolloutId, deviceId }, nowMs());
	if (row.state === "stopped") await orderMembersBack(tools, row, release);
	await closeSettled(db, rolloutId);
}

async function orderMembersBack(tools: RolloutTools, row: RolloutRow, release: ReleaseRow): Promise<void> {
	const deviceIds = await membersToOrder(tools.db, row.id);
	if (deviceIds.length === 0) return;
	// One line for all, before the first: each device is a transaction of its own, and none may go unaudited.
	const details = { device_count: deviceIds.length };
	await tools.db.transaction().execute(async (transaction) => {
		const done = { actor: "server", action: "rollout.order-rollbacks", target: `rollout:${row.id}`, details };
		await appendAudit(transaction, { ...done, nowMs: tools.nowMs() });
	});
	for (const deviceId of deviceIds) await orderBack(tools, { row, release, deviceId });
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

async function endDownload(db: Records, key: MemberKey, nowMs: number): Promise<void> {
	await db.transaction().execute(async (transaction) => {
		await lockDevice(transaction, key.deviceId);
		const member = await findMember(transaction, key);
		if (member === undefined || !NOT_BEGUN.includes(member.status)) return;
		const latest = await findLatestUpdate(transaction, key.deviceId);
		if (latest?.rollout_id === key.rolloutId && isOpen(latest.status)) {
			await abortUpdate(transaction, latest, nowMs);
			await changeDevice(transaction, key.deviceId, { withheld_release_id: latest.release_id });
		}
		const change = { status: "aborted", finished_at_ms: nowMs, lease_until_ms: null } as const;
		await changeMember(transaction, key, { ...change, next_try_at_ms: null });
	});
}

interface OrderBack {
	readonly row: RolloutRow;
	readonly release: ReleaseRow;
	readonly deviceId: string;
}

async function orderBack(tools: RolloutTools, { row, release, deviceId }: OrderBack): Promise<void> {
	const nowMs = tools.nowMs();
	const key = { rolloutId: row.id, deviceId };
	const events = await tools.db.transaction().execute(async (transaction) => {
		await lockDevice(transaction, deviceId);
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
		const news = orderEvents(order, { rollout_id: row.id });
		await appendEvents(transaction, news, nowMs);
		return news;
	});
	announce(tools.log, events);
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
