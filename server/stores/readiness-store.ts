// The one row that is written to see whether the database takes a write. Called by readiness.ts.
import type { Records } from "./tables.js";

export async function writeReadiness(db: Records, nowMs: number): Promise<void> {
	await db
		.insertInto("readiness")
		.values({ id: 1, checked_at_ms: nowMs })
		.onConflict((conflict) => conflict.column("id").doUpdateSet({ checked_at_ms: nowMs }))
		.execute();
}
