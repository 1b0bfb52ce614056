// Devices in rollouts: those that were offered the release. A row is changed only under the lock of its device.
import type { MemberChange } from "../domain/rollout-member.js";
import { type MemberStatus, OFFERING_STATES } from "../domain/rollout-plan.js";
import { kindOf } from "./database.js";
import type { Records, RolloutDeviceRow } from "./tables.js";

export interface MemberKey {
	readonly rolloutId: number;
	readonly deviceId: string;
}

export async function findMember(db: Records, key: MemberKey): Promise<RolloutDeviceRow | undefined> {
	return db
		.selectFrom("rollout_devices")
		.selectAll()
		.where("rollout_id", "=", key.rolloutId)
		.where("device_id", "=", key.deviceId)
		.executeTakeFirst();
}

/** Of one device, by rollout. */
export async function findMemberships(db: Records, deviceId: string): Promise<Map<number, RolloutDeviceRow>> {
	const rows = await db.selectFrom("rollout_devices").selectAll().where("device_id", "=", deviceId).execute();
	return new Map(rows.map((row) => [row.rollout_id, row]));
}

/** The newest rollout of this release that the device was offered it by. */
export async function findMemberOfRelease(
	db: Records,
	deviceId: string,
	releaseId: number,
): Promise<RolloutDeviceRow | undefined> {
	return db
		.selectFrom("rollout_devices")
		.innerJoin("rollouts", "rollouts.id", "rollout_devices.rollout_id")
		.selectAll("rollout_devices")
		.where("rollout_devices.device_id", "=", deviceId)
		.where("rollouts.release_id", "=", releaseId)
		.orderBy("rollouts.id", "desc")
		.limit(1)
		.executeTakeFirst();
}

export interface NewTry extends MemberKey {
	readonly wave: number;
	readonly attempt: number;
	readonly change: MemberChange;
	readonly nowMs: number;
}

/** The device was offered the release, once more or for the first time. */
export async function saveTry(db: Records, { rolloutId, deviceId, ...item }: NewTry): Promise<void> {
	const row = { ...item.change, wave: item.wave, attempts: item.attempt, offered_at_ms: item.nowMs };
	await db
		.insertInto("rollout_devices")
		.values({ rollout_id: rolloutId, device_id: deviceId, rollback_order_id: null, ...row })
		.onConflict((conflict) => conflict.columns(["rollout_id", "device_id"]).doUpdateSet(row))
		.execute();
}

export async function changeMember(
	db: Records,
	key: MemberKey,
	change: Partial<MemberChange & { readonly attempts: number; readonly rollback_order_id: number | null }>,
): Promise<void> {
	await db
		.updateTable("rollout_devices")
		.set(change)
		.where("rollout_id", "=", key.rolloutId)
		.where("device_id", "=", key.deviceId)
		.execute();
}

/** Under the lock of the device: what was ended with its service goes on, in rollouts that do. */
export async function reopenMemberships(db: Records, deviceId: string, nowMs: number): Promise<void> {
	await db
		.updateTable("rollout_devices")
		.set({ status: "retrying", attempts: 0, next_try_at_ms: nowMs, finished_at_ms: null })
		.where("device_id", "=", deviceId)
		.where("status", "=", "aborted")
		.where("rollout_id", "in", (from) =>
			from.selectFrom("rollouts").select("id").where("state", "in", OFFERING_STATES),
		)
		.execute();
}

/** Forgets what rollouts know of a device: another board has its name. */
export async function forgetMemberships(db: Records, deviceId: string): Promise<void> {
	await db.deleteFrom("rollout_devices").where("device_id", "=", deviceId).execute();
}

/** Download places of a rollout that others than this device hold. Only under the rollout's lock it holds until used. */
export async function countPlaces(db: Records, key: MemberKey, nowMs: number): Promise<number> {
	const { count } = await db
		.selectFrom("rollout_devices")
		.select((select) => select.fn.countAll<number>().as("count"))
		.where("rollout_id", "=", key.rolloutId)
		.where("status", "in", ["offered", "downloading"])
		.where("lease_until_ms", ">", nowMs)
		.where("device_id", "!=", key.deviceId)
		.executeTakeFirstOrThrow();
	return Number(count);
}

export interface MemberCount {
	readonly wave: number;
	readonly status: MemberStatus;
	readonly count: number;
}

export async function countMembers(db: Records, rolloutId: number): Promise<MemberCount[]> {
	const rows = await db
		.selectFrom("rollout_devices")
		.select(["wave", "status"])
		.select((select) => select.fn.countAll<number>().as("count"))
		.where("rollout_id", "=", rolloutId)
		.groupBy(["wave", "status"])
		.execute();
	return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

export interface OverdueCount {
	readonly wave: number;
	readonly count: number;
}

/** Devices that are installing, and were not heard of since then. */
export async function countOverdue(
	db: Records,
	rolloutId: number,
	beforeMs: number,
): Promise<OverdueCount[]> {
	const rows = await db
		.selectFrom("rollout_devices as member")
		.innerJoin("devices", "devices.device_id", "member.device_id")
		.select("member.wave")
		.select((select) => select.fn.countAll<number>().as("count"))
		.where("member.rollout_id", "=", rolloutId)
		.where("member.status", "=", "installing")
		.where("devices.last_seen_at_ms", "<", beforeMs)
		.groupBy("member.wave")
		.execute();
	return rows.map((row) => ({ ...row, count: Number(row.count) }));
}

export interface MemberQuery {
	readonly rolloutId: number;
	readonly statuses?: readonly MemberStatus[] | undefined;
	readonly wave?: number | undefined;
	/** Only devices whose id comes behind this one. */
	readonly after?: string | undefined;
	readonly limit: number;
}

/** In order of device id. */
export async function listMembers(db: Records, options: MemberQuery): Promise<RolloutDeviceRow[]> {
	let query = db
		.selectFrom("rollout_devices")
		.selectAll()
		.where("rollout_id", "=", options.rolloutId)
		.orderBy("device_id")
		.limit(options.limit);
	if (options.statuses !== undefined) query = query.where("status", "in", options.statuses);
	if (options.wave !== undefined) query = query.where("wave", "=", options.wave);
	if (options.after !== undefined) query = query.where("device_id", ">", options.after);
	return query.execute();
}

const FAILED_STATUSES: readonly MemberStatus[] = ["failed", "rolled_back", "aborted"];

export interface FailedPage {
	readonly rolloutId: number;
	/** Only devices whose id comes behind this one. */
	readonly after: string;
	readonly limit: number;
}

/**
 * Takes the locks of a page of the devices that are in an end state other than success, and returns their ids. In order of
 * id, so that two who do this do not wait for each other. Before the lock of the rollout.
 */
export async function lockFailed(transaction: Records, page: FailedPage): Promise<string[]> {
	const failed = transaction
		.selectFrom("rollout_devices")
		.select("device_id")
		.where("rollout_id", "=", page.rolloutId)
		.where("device_id", ">", page.after)
		.where("status", "in", FAILED_STATUSES)
		.orderBy("device_id")
		.limit(page.limit);
	const devices = transaction
		.selectFrom("devices")
		.select("device_id")
		.where("device_id", "in", failed)
		.orderBy("device_id");
	const rows = await (kindOf(transaction) === "sqlite" ? devices : devices.forUpdate()).execute();
	return rows.map((row) => row.device_id);
}

/** Has those of them tried once more that are in such a state still; returns how many. Under their locks. */
export async function retryFailed(db: Records, retry: Retry): Promise<number> {
	if (retry.deviceIds.length === 0) return 0;
	const result = await db
		.updateTable("rollout_devices")
		.set({ status: "retrying", attempts: 0, next_try_at_ms: retry.nowMs, finished_at_ms: null })
		.where("rollout_id", "=", retry.rolloutId)
		.where("device_id", "in", retry.deviceIds)
		.where("status", "in", FAILED_STATUSES)
		.executeTakeFirst();
	return Number(result.numUpdatedRows);
}

export interface Retry {
	readonly rolloutId: number;
	readonly deviceIds: readonly string[];
	readonly nowMs: number;
}
