// How often somebody tried to log in, by name and by address. In the database, so that the limit holds over all servers.
import type { Records } from "./tables.js";

export interface Attempt {
	/** name:NAME or address:ADDRESS. */
	readonly key: string;
	readonly windowMs: number;
	readonly nowMs: number;
}

export interface AttemptCount {
	/** With this one, in the window that is open. */
	readonly count: number;
	readonly windowEndsAtMs: number;
}

/**
 * Counts an attempt before it is made: one statement, so that a thousand at once are counted as a thousand. A window
 * begins with the first attempt after the last one ended, and does not move with the attempts in it.
 */
export async function countAttempt(db: Records, attempt: Attempt): Promise<AttemptCount> {
	const { key, windowMs, nowMs } = attempt;
	const oldestStartMs = nowMs - windowMs;
	const row = await db
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
	return { count: row.attempt_count, windowEndsAtMs: row.window_started_at_ms + windowMs };
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
