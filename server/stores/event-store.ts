// The event log and the security log: one table, append only. Written beside what the event is about, in the same
// transaction where there is one.

import type { Insertable } from "kysely";
import type { LogEvent, LogName } from "../domain/event.js";
import { takeLock } from "./locks.js";
import type { EventRow, EventTable, Records } from "./tables.js";

/** Last in a transaction: whoever reads the logs waits until it ends. */
export async function appendEvents(db: Records, events: readonly LogEvent[], nowMs: number): Promise<void> {
	if (events.length === 0) return;
	const rows = events.map((event) => ({
		log: event.log,
		at_ms: nowMs,
		device_id: event.deviceId ?? null,
		type: event.type,
		details: JSON.stringify(event.details),
	}));
	if (!db.isTransaction) return db.transaction().execute((transaction) => append(transaction, rows));
	return append(db, rows);
}

async function append(transaction: Records, rows: readonly Insertable<EventTable>[]): Promise<void> {
	await takeLock(transaction, "events", "use");
	await transaction.insertInto("events").values(rows).execute();
}

/**
 * Up to which both logs are complete: no event at or below this id becomes visible later. 0 when there is none. Of two
 * transactions the one that took its id later may end first (PostgreSQL); this waits for those that are under way, and those
 * that begin meanwhile wait for it.
 */
export async function newestEventId(db: Records): Promise<number> {
	return db.isTransaction ? newestCompleteId(db) : db.transaction().execute(newestCompleteId);
}

async function newestCompleteId(transaction: Records): Promise<number> {
	await takeLock(transaction, "events");
	return newestVisibleId(transaction);
}

async function newestVisibleId(db: Records): Promise<number> {
	const row = await db.selectFrom("events").select("id").orderBy("id", "desc").limit(1).executeTakeFirst();
	return row?.id ?? 0;
}

/** Of both logs, in rising order of id, as far as they are complete. */
export async function listEventsAfter(db: Records, after: number, limit: number): Promise<EventRow[]> {
	// Mostly there is nothing.
	if ((await newestVisibleId(db)) <= after) return [];
	const lastId = await newestEventId(db);
	return db
		.selectFrom("events")
		.selectAll()
		.where("id", ">", after)
		.where("id", "<=", lastId)
		.orderBy("id")
		.limit(limit)
		.execute();
}

export interface EventQuery {
	readonly log: LogName;
	readonly deviceId?: string | undefined;
	readonly type?: string | undefined;
	/** From this time on, and before that one. */
	readonly sinceMs?: number | undefined;
	readonly untilMs?: number | undefined;
	/** Only events with a higher id, the oldest first. Without it: the newest ones, below `before` where given. */
	readonly after?: number | undefined;
	readonly before?: number | undefined;
	readonly limit: number;
}

/** The events in rising order of id, as far as the log is complete. */
export async function listEvents(db: Records, options: EventQuery): Promise<EventRow[]> {
	const lastId = await newestEventId(db);
	let query = db.selectFrom("events").selectAll().where("id", "<=", lastId).limit(options.limit);
	query = query.where("log", "=", options.log);
	if (options.deviceId !== undefined) query = query.where("device_id", "=", options.deviceId);
	if (options.type !== undefined) query = query.where("type", "=", options.type);
	if (options.sinceMs !== undefined) query = query.where("at_ms", ">=", options.sinceMs);
	if (options.untilMs !== undefined) query = query.where("at_ms", "<", options.untilMs);
	if (options.before !== undefined) query = query.where("id", "<", options.before);
	if (options.after !== undefined)
		return query.where("id", ">", options.after).orderBy("id", "asc").execute();
	return (await query.orderBy("id", "desc").execute()).reverse();
}
