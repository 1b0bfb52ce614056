// Both logs as one sequence, for whoever follows them: the streams of live/ and the webhooks. Events become visible in
// the order of their ids (locks.ts), so a reader that goes on behind the last one it saw misses none.
import type { LogName } from "../domain/event.js";
import type { EventRow, Records } from "./tables.js";

/** 0 when there is none. */
export async function newestEventId(db: Records): Promise<number> {
	const row = await db.selectFrom("events").select("id").orderBy("id", "desc").limit(1).executeTakeFirst();
	return row?.id ?? 0;
}

/** In rising order of id. */
export async function listEventsAfter(db: Records, after: number, limit: number): Promise<EventRow[]> {
	return db.selectFrom("events").selectAll().where("id", ">", after).orderBy("id").limit(limit).execute();
}

/** An event as it is told: to streams as it is, to webhooks in their envelope. */
export interface ToldEvent {
	readonly id: number;
	readonly log: LogName;
	/** ISO 8601. */
	readonly time: string;
	readonly device_id: string | null;
	readonly type: string;
	readonly details: Readonly<Record<string, unknown>>;
}

export function toldEvent(row: EventRow): ToldEvent {
	return {
		id: row.id,
		log: row.log,
		time: new Date(row.at_ms).toISOString(),
		device_id: row.device_id,
		type: row.type,
		details: JSON.parse(row.details) as Record<string, unknown>,
	};
}
