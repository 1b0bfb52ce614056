// The history of updates: one row a try of one device at one release.
import type { Insertable, Updateable } from "kysely";
import type { UpdateStatus } from "../domain/update-history.js";
import type { UpdateTable } from "./fleet-tables.js";
import type { Records, UpdateRow } from "./tables.js";

export async function findLatestUpdate(db: Records, deviceId: string): Promise<UpdateRow | undefined> {
	return db
		.selectFrom("updates")
		.selectAll()
		.where("device_id", "=", deviceId)
		.orderBy("id", "desc")
		.limit(1)
		.executeTakeFirst();
}

/** The newest that failed with a flight record. */
export async function findLastFailure(db: Records, deviceId: string): Promise<UpdateRow | undefined> {
	return db
		.selectFrom("updates")
		.selectAll()
		.where("device_id", "=", deviceId)
		.where("flight_record", "is not", null)
		.orderBy("id", "desc")
		.limit(1)
		.executeTakeFirst();
}

/**
 * Ids of the newest update and of the newest with a flight record of each of these devices: a look into an index for
 * each, however many updates a device has.
 */
export async function findKeptUpdates(db: Records, deviceIds: readonly string[]): Promise<Set<number>> {
	if (deviceIds.length === 0) return new Set();
	const rows = await db
		.selectFrom("devices")
		.select((select) => [
			select
				.selectFrom("updates as newest")
				.select((newest) => newest.fn.max("newest.id").as("id"))
				.whereRef("newest.device_id", "=", "devices.device_id")
				.as("newest_id"),
			select
				.selectFrom("updates as failed")
				.select((failed) => failed.fn.max("failed.id").as("id"))
				.whereRef("failed.device_id", "=", "devices.device_id")
				.where("failed.flight_record", "is not", null)
				.as("newest_failed_id"),
		])
		.where("device_id", "in", deviceIds)
		.execute();
	const ids = rows.flatMap((row) => [row.newest_id, row.newest_failed_id]);
	return new Set(ids.filter((id) => id !== null));
}

export type UpdateEnd = Pick<UpdateRow, "id" | "device_id" | "status" | "error_code" | "finished_at_ms">;

/** Of all devices to this image, as this release or (null) as none of this server; in rising order of id. */
export async function listUpdatesTo(
	db: Records,
	image: { readonly releaseId: number | null; readonly hash: string },
	page: { readonly after: number; readonly limit: number },
): Promise<UpdateEnd[]> {
	return db
		.selectFrom("updates")
		.select(["id", "device_id", "status", "error_code", "finished_at_ms"])
		.where("release_id", image.releaseId === null ? "is" : "=", image.releaseId)
		.where("hash", "=", image.hash)
		.where("id", ">", page.after)
		.orderBy("id")
		.limit(page.limit)
		.execute();
}

export async function insertUpdate(db: Records, row: Insertable<UpdateTable>): Promise<UpdateRow> {
	return db.insertInto("updates").values(row).returningAll().executeTakeFirstOrThrow();
}

export async function changeUpdate(
	db: Records,
	id: number,
	changes: Updateable<UpdateTable>,
): Promise<UpdateRow> {
	return db.updateTable("updates").set(changes).where("id", "=", id).returningAll().executeTakeFirstOrThrow();
}

export interface SilenceOptions {
	/** Neither a step of the update nor any other word of the device since. */
	readonly beforeMs: number;
	readonly limit: number;
}

/** Open updates whose device fell silent, the oldest first. */
export async function findSilentUpdates(db: Records, options: SilenceOptions): Promise<UpdateRow[]> {
	return db
		.selectFrom("updates")
		.innerJoin("devices", "devices.device_id", "updates.device_id")
		.selectAll("updates")
		.where("updates.finished_at_ms", "is", null)
		.where("updates.changed_at_ms", "<", options.beforeMs)
		.where((where) =>
			where.or([
				where("devices.last_seen_at_ms", "is", null),
				where("devices.last_seen_at_ms", "<", options.beforeMs),
			]),
		)
		.orderBy("updates.changed_at_ms")
		.limit(options.limit)
		.execute();
}

export interface UpdateQuery {
	readonly deviceId?: string | undefined;
	readonly releaseId?: number | undefined;
	readonly rolloutId?: number | undefined;
	readonly status?: UpdateStatus | undefined;
	/** Begun from then on, and before then. */
	readonly fromMs?: number | undefined;
	readonly toMs?: number | undefined;
	/** Only updates with a lower id: the newest come first. */
	readonly before?: number | undefined;
	readonly limit: number;
}

/** The newest first. */
export async function listUpdates(db: Records, options: UpdateQuery): Promise<UpdateRow[]> {
	let query = db.selectFrom("updates").selectAll().orderBy("id", "desc").limit(options.limit);
	if (options.deviceId !== undefined) query = query.where("device_id", "=", options.deviceId);
	if (options.releaseId !== undefined) query = query.where("release_id", "=", options.releaseId);
	if (options.rolloutId !== undefined) query = query.where("rollout_id", "=", options.rolloutId);
	if (options.status !== undefined) query = query.where("status", "=", options.status);
	if (options.fromMs !== undefined) query = query.where("started_at_ms", ">=", options.fromMs);
	if (options.toMs !== undefined) query = query.where("started_at_ms", "<", options.toMs);
	if (options.before !== undefined) query = query.where("id", "<", options.before);
	return query.execute();
}
