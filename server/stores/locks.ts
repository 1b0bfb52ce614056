// Locks that hold between all servers on one database, until the transaction ends. On SQLite one process has the
// database and lets one transaction at a time through, so there is nothing to do there.
import { sql } from "kysely";
import { kindOf } from "./database.js";
import type { Records } from "./tables.js";

/**
 * images: who claims an image, and decides by the releases and claims there are. events: who appends to the logs, so
 * that events become visible in the order of their ids and a reader that goes on behind the last id it saw misses none.
 * users: who changes users or tokens, so that an admin is left. webhooks: who makes one, so that there are not too many.
 * retention: who removes old lines. audit: who appends to the audit log, whose lines are a chain.
 */
export type LockName = "images" | "users" | "webhooks" | "retention" | "events" | "audit";

/** Waits for the lock. Only within a transaction; where several are taken, in the order of LockName. */
export async function takeLock(transaction: Records, name: LockName): Promise<void> {
	if (kindOf(transaction) === "sqlite") return;
	await sql`select pg_advisory_xact_lock(hashtextextended(${`fota.${name}`}, 0))`.execute(transaction);
}

/**
 * "use": others who use the rollout as it is go on beside this transaction. "change": nobody else. PostgreSQL serves these
 * locks in the order in which they are asked for, so a stream of offers cannot keep a stop waiting, as it can with locks
 * on the row. Behind the lock of a device, before those of LockName.
 */
export async function takeRolloutLock(
	transaction: Records,
	rolloutId: number,
	mode: "use" | "change",
): Promise<void> {
	if (kindOf(transaction) === "sqlite") return;
	const key = sql`hashtextextended(${`fota.rollout.${rolloutId}`}, 0)`;
	const lock =
		mode === "use"
			? sql`select pg_advisory_xact_lock_shared(${key})`
			: sql`select pg_advisory_xact_lock(${key})`;
	await lock.execute(transaction);
}

/** Holds other transactions on this device back: what is read of it now still holds when this transaction writes. */
export async function lockDevice(transaction: Records, deviceId: string): Promise<void> {
	if (kindOf(transaction) === "sqlite") return;
	await transaction
		.selectFrom("devices")
		.select("device_id")
		.where("device_id", "=", deviceId)
		.forUpdate()
		.execute();
}
