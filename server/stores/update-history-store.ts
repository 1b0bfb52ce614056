// Adds to the history of a device's updates, which one device cannot fill. Called by record-update.ts, under the lock of the
// device.
import type { Insertable } from "kysely";
import type { LogEvent } from "../domain/event.js";
import type { UpdateTable } from "./fleet-tables.js";
import type { Records, UpdateRow } from "./tables.js";
import { changeUpdate, insertUpdate } from "./update-store.js";

const HOUR_MS = 3_600_000;
/** More than a board manages whose downloads all fail: with the shortest poll interval it begins one a minute. */
export const UPDATES_PER_HOUR_MAX = 100;

export interface AddedUpdate {
	readonly row: UpdateRow;
	/** To be logged at the end of the transaction. */
	readonly events: readonly LogEvent[];
}

/** What a row has where nothing is said of it: none of the update before may shine through. */
const BLANK = {
	release_id: null,
	rollout_id: null,
	wave: null,
	stage: null,
	from_version: null,
	to_version: null,
	hash: null,
	bytes_received: 0,
	bytes_total: null,
	error_code: null,
	error_message: null,
	flight_record: null,
	finished_at_ms: null,
} as const;

/**
 * Adds a line; above the bound, which is told when it is first passed in an hour, the update takes the place of the newest.
 * Threat: a device's key in the wrong hands begins another update in each report, until the lines fill the database.
 */
export async function addUpdate(db: Records, update: Insertable<UpdateTable>): Promise<AddedUpdate> {
	const { device_id: deviceId, started_at_ms: nowMs } = update;
	const hourMs = nowMs - (nowMs % HOUR_MS);
	const newest = await db
		.selectFrom("updates")
		.select(["id", "started_at_ms"])
		.where("device_id", "=", deviceId)
		.orderBy("id", "desc")
		.limit(UPDATES_PER_HOUR_MAX + 1)
		.execute();
	const count = newest.filter((row) => row.started_at_ms >= hourMs).length;
	const [last] = newest;
	if (count > UPDATES_PER_HOUR_MAX && last !== undefined)
		return { row: await changeUpdate(db, last.id, { ...BLANK, ...update }), events: [] };
	const row = await insertUpdate(db, update);
	if (count < UPDATES_PER_HOUR_MAX) return { row, events: [] };
	const details = { count, until: new Date(hourMs + HOUR_MS).toISOString() };
	return { row, events: [{ log: "fota", type: "update_history_full", deviceId, details }] };
}
