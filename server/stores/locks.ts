// Locks that hold between all servers on one database, until the transaction ends. On SQLite one process has the
// database and lets one transaction at a time through, so there is nothing to do there.
import { sql } from "kysely";
import { kindOf } from "./database.js";
import type { Records } from "./tables.js";

/**
 * images: who claims an image, and decides by the releases and claims there are. events: "use" by who appends to the logs,
 * "change" by who reads how far they are complete: ids are given before they are visible, and a reader that goes on behind
 * the last one it saw must miss none.
 * users: who changes users or tokens, so that an admin is left. webhooks: who makes one, so that there are not too many.
 * retention: who removes old lines. audit: who appends to the audit log, whose lines are a chain.
 */
export type LockName = "images" | "users" | "webhooks" | "retention" | "events" | "audit";

/**
 * "use": others who use the same go on beside this transaction. "change": nobody else. PostgreSQL serves these locks in the
 * order in which they are asked for, so a stream of offers cannot keep a stop waiting, as it can with locks on a row.
 */
export type LockMode = "use" | "change";

/** Waits for the lock. Only within a transaction; where several are taken, in the order of LockName. */
export async function takeLock(
	transaction: Records,
	name: LockName,
	mode: LockMode = "change",
): Promise<void> {
	await takeAdvisoryLock(transaction, `fota.${name}`, mode);
}

/** Behind the lock of a device, before those of LockName. */
export async function takeRolloutLock(
	transaction: Records,
	rolloutId: number,
	mode: LockMode,
): Promise<void> {
	await takeAdvisoryLock(transaction, `fota.rollout.${rolloutId}`, mode);
}

async function takeAdvisoryLock(transaction: Records, text: string, mode: LockMode): Promise<void> {
	if (kindOf(transaction) === "sqlite") return;
	const key = sql`hashtextextended(${text}, 0)`;
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
