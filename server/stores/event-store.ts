// The event log and the security log: one table, append only. Written beside what the event is about, in the same
// transaction where there is one.

import type { Insertable } from "kysely";
import type { LogEvent, LogName } from "../domain/event.js";
import { takeLock } from "./locks.js";
import type { EventRow, EventTable, Records } from "./tables.js";

/** Last in a transaction: other servers wait with their events until it ends. */
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
	await takeLock(transaction, "events");
	await transaction.insertInto("events").values(rows).execute();
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

/** The events in rising order of id. */
export async function listEvents(db: Records, options: EventQuery): Promise<EventRow[]> {
	let query = db.selectFrom("events").selectAll().where("log", "=", options.log).limit(options.limit);
	if (options.deviceId !== undefined) query = query.where("device_id", "=", options.deviceId);
	if (options.type !== undefined) query = query.where("type", "=", options.type);
	if (options.sinceMs !== undefined) query = query.where("at_ms", ">=", options.sinceMs);
	if (options.untilMs !== undefined) query = query.where("at_ms", "<", options.untilMs);
	if (options.before !== undefined) query = query.where("id", "<", options.before);
	if (options.after !== undefined)
		return query.where("id", ">", options.after).orderBy("id", "asc").execute();
	return (await query.orderBy("id", "desc").execute()).reverse();
}
