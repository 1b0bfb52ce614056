// How often somebody tried to log in, by name and by address. In the database, so that the limit holds over all servers.
import type { Records } from "./tables.js";

export interface Attempt {
	/** name:NAME or address:ADDRESS. */
	readonly key: string;
	/** Beyond it the count stands still. */
	readonly max: number;
	readonly windowMs: number;
	readonly nowMs: number;
}

export interface AttemptCount {
	/** With this one, in the window that is open. */
	readonly count: number;
	readonly windowEndsAtMs: number;
}

/**
 * Counts an attempt before it is made, so that a thousand at once are counted as a thousand. A window begins with the first
 * attempt after the last one ended, and does not move with the attempts in it.
 */
export async function countAttempt(db: Records, attempt: Attempt): Promise<AttemptCount> {
	const { key, max, windowMs, nowMs } = attempt;
	const known = await db.selectFrom("login_attempts").selectAll().where("key", "=", key).executeTakeFirst();
	// Threat: whoever goes on behind the limit. Each count is a commit, and on PostgreSQL all of a key wait for one row: devices
	// would wait with them.
	const isOver =
		known !== undefined && known.attempt_count > max && known.window_started_at_ms > nowMs - windowMs;
	const row = isOver ? known : await addAttempt(db, attempt);
	return { count: row.attempt_count, windowEndsAtMs: row.window_started_at_ms + windowMs };
}

async function addAttempt(db: Records, { key, windowMs, nowMs }: Attempt) {
	const oldestStartMs = nowMs - windowMs;
	return db
		.insertInto("login_attempts")
		.values({ key, attempt_count: 1, window_started_at_ms: nowMs })
		.onConflict((conflict) =>
			conflict.column("key").doUpdateSet((set) => ({
				attempt_count: set
					.case()
					.when("login_attempts.window_started_at_ms", "<=", oldestStartMs)
					.then(1)
					.else(set("login_attempts.attempt_count", "+", 1))
					.end(),
				window_started_at_ms: set
					.case()
					.when("login_attempts.window_started_at_ms", "<=", oldestStartMs)
					.then(nowMs)
					.else(set.ref("login_attempts.window_started_at_ms"))
					.end(),
			})),
		)
		.returningAll()
		.executeTakeFirstOrThrow();
}

/** After a right password: its name begins anew, its address gets the attempt back. */
export async function forgiveAttempt(
	db: Records,
	keys: { readonly name: string; readonly address: string },
): Promise<void> {
	await db.deleteFrom("login_attempts").where("key", "=", keys.name).execute();
	await db
		.updateTable("login_attempts")
		.set((set) => ({ attempt_count: set("attempt_count", "-", 1) }))
		.where("key", "=", keys.address)
		.where("attempt_count", ">", 0)
		.execute();
}
