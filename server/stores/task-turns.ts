// Work that comes round in every server and is to be done by one of them: whoever takes the turn does it. A server that
// goes away in the middle costs one turn.
import type { Records } from "./tables.js";

export interface TaskTurn {
	readonly name: string;
	readonly everyMs: number;
	readonly nowMs: number;
}

/** False: another server had this turn. One statement, so of several that ask at once one is let through. */
export async function takeTaskTurn(db: Records, { name, everyMs, nowMs }: TaskTurn): Promise<boolean> {
	// Clocks of servers differ, and timers are late.
	const dueMs = nowMs - Math.floor(everyMs / 2);
	const result = await db
		.insertInto("task_turns")
		.values({ name, taken_at_ms: nowMs })
		.onConflict((conflict) =>
			conflict
				.column("name")
				.doUpdateSet({ taken_at_ms: nowMs })
				.where((where) =>
					where.or([
						where("task_turns.taken_at_ms", "<=", dueMs),
						// A clock that was put back must not stop the work.
						where("task_turns.taken_at_ms", ">", nowMs + everyMs),
					]),
				),
		)
		.executeTakeFirst();
	return result.numInsertedOrUpdatedRows === 1n;
}
