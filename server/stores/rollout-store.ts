// Rollouts, the devices they name, and what happened to them.
import type { Insertable, Updateable } from "kysely";
import type { RolloutPlan, RolloutState, RolloutTarget } from "../domain/rollout-plan.js";
import type { RolloutTable } from "./fleet-tables.js";
import { takeRolloutLock } from "./locks.js";
import type { Records, RolloutEventRow, RolloutRow } from "./tables.js";

/** Rows a statement: SQLite and PostgreSQL bound the parameters of one. */
const INSERT_ROWS = 1000;

export function planOf(row: Pick<RolloutRow, "plan">): RolloutPlan {
	return JSON.parse(row.plan) as RolloutPlan;
}

export function targetOf(row: Pick<RolloutRow, "target">): RolloutTarget {
	return JSON.parse(row.target) as RolloutTarget;
}

export async function insertRollout(db: Records, row: Insertable<RolloutTable>): Promise<RolloutRow> {
	return db.insertInto("rollouts").values(row).returningAll().executeTakeFirstOrThrow();
}

export async function findRollout(db: Records, id: number): Promise<RolloutRow | undefined> {
	return db.selectFrom("rollouts").selectAll().where("id", "=", id).executeTakeFirst();
}

/**
 * Within a transaction: the rollout as it is now and, as far as others take its lock as well, stays until the end of it.
 * Behind the lock of a device, where both are taken.
 */
export async function lockRollout(
	transaction: Records,
	id: number,
	mode: "use" | "change",
): Promise<RolloutRow | undefined> {
	await takeRolloutLock(transaction, id, mode);
	return findRollout(transaction, id);
}

export async function changeRollout(
	db: Records,
	id: number,
	changes: Updateable<RolloutTable>,
): Promise<RolloutRow> {
	return db
		.updateTable("rollouts")
		.set(changes)
		.where("id", "=", id)
		.returningAll()
		.executeTakeFirstOrThrow();
}

/** With all that belongs to it. Only one that was never started: nothing else refers to that. */
export async function deleteRollout(db: Records, id: number): Promise<void> {
	await db.deleteFrom("rollout_targets").where("rollout_id", "=", id).execute();
	await db.deleteFrom("rollout_events").where("rollout_id", "=", id).execute();
	await db.deleteFrom("rollouts").where("id", "=", id).execute();
}

/** All that decide about one of these releases. */
export async function listRolloutsOfReleases(
	db: Records,
	releaseIds: readonly number[],
): Promise<RolloutRow[]> {
	if (releaseIds.length === 0) return [];
	return db.selectFrom("rollouts").selectAll().where("release_id", "in", releaseIds).execute();
}

/** When the first rollout for this device type and chip was started. */
export async function firstRolloutAtMs(
	db: Records,
	deviceType: string,
	chip: string,
): Promise<number | undefined> {
	const { at_ms } = await db
		.selectFrom("rollouts")
		.select((select) => select.fn.min("started_at_ms").as("at_ms"))
		.where("device_type", "=", deviceType)
		.where("chip", "=", chip)
		.executeTakeFirstOrThrow();
	return at_ms === null ? undefined : Number(at_ms);
}

/** Those with something to do: that run, or were stopped and have an end to bring about. */
export async function listBusyRollouts(db: Records): Promise<RolloutRow[]> {
	return db
		.selectFrom("rollouts")
		.selectAll()
		.where((where) => where.or([where("state", "=", "running"), where("is_settled", "=", 0)]))
		.orderBy("id")
		.execute();
}

/** Other rollouts that may be for the same devices. */
export async function listRivals(db: Records, rollout: RolloutRow): Promise<RolloutRow[]> {
	return db
		.selectFrom("rollouts")
		.selectAll()
		.where("device_type", "=", rollout.device_type)
		.where("chip", "=", rollout.chip)
		.where("state", "in", ["running", "paused"])
		.where("id", "!=", rollout.id)
		.orderBy("id")
		.execute();
}

export interface RolloutQuery {
	readonly state?: RolloutState | undefined;
	readonly deviceType?: string | undefined;
	readonly releaseId?: number | undefined;
	/** Only rollouts with a lower id: the newest come first. */
	readonly before?: number | undefined;
	readonly limit: number;
}

/** The newest first. */
export async function listRollouts(db: Records, options: RolloutQuery): Promise<RolloutRow[]> {
	let query = db.selectFrom("rollouts").selectAll().orderBy("id", "desc").limit(options.limit);
	if (options.state !== undefined) query = query.where("state", "=", options.state);
	if (options.deviceType !== undefined) query = query.where("device_type", "=", options.deviceType);
	if (options.releaseId !== undefined) query = query.where("release_id", "=", options.releaseId);
	if (options.before !== undefined) query = query.where("id", "<", options.before);
	return query.execute();
}

/** Takes the place of those named before. */
export async function nameDevices(
	db: Records,
	rolloutId: number,
	deviceIds: readonly string[],
): Promise<void> {
	await db.deleteFrom("rollout_targets").where("rollout_id", "=", rolloutId).execute();
	for (let at = 0; at < deviceIds.length; at += INSERT_ROWS) {
		const rows = deviceIds
			.slice(at, at + INSERT_ROWS)
			.map((deviceId) => ({ rollout_id: rolloutId, device_id: deviceId }));
		await db.insertInto("rollout_targets").values(rows).execute();
	}
}

/** The rollouts, of these, that name the device. */
export async function findRolloutsNaming(
	db: Records,
	deviceId: string,
	rolloutIds: readonly number[],
): Promise<Set<number>> {
	if (rolloutIds.length === 0) return new Set();
	const rows = await db
		.selectFrom("rollout_targets")
		.select("rollout_id")
		.where("device_id", "=", deviceId)
		.where("rollout_id", "in", rolloutIds)
		.execute();
	return new Set(rows.map((row) => row.rollout_id));
}

export interface RolloutNote {
	readonly rolloutId: number;
	readonly type: string;
	/** A user, a token, or "server". */
	readonly actor: string;
	readonly reason?: string | undefined;
	readonly details?: Readonly<Record<string, unknown>>;
	readonly nowMs: number;
}

export async function noteRollout(db: Records, note: RolloutNote): Promise<void> {
	await db
		.insertInto("rollout_events")
		.values({
			rollout_id: note.rolloutId,
			at_ms: note.nowMs,
			type: note.type,
			actor: note.actor,
			reason: note.reason ?? null,
			details: JSON.stringify(note.details ?? {}),
		})
		.execute();
}

/** The newest first. */
export async function listRolloutEvents(
	db: Records,
	rolloutId: number,
	limit: number,
): Promise<RolloutEventRow[]> {
	return db
		.selectFrom("rollout_events")
		.selectAll()
		.where("rollout_id", "=", rolloutId)
		.orderBy("id", "desc")
		.limit(limit)
		.execute();
}
