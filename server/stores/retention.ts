// Removes lines of the event log and the security log that are older than the operator wants to keep, never without a
// word, and what is over of sessions and log-in attempts. The audit log is kept for ever. Called by the server's hourly
// task.
import type { FastifyBaseLogger } from "fastify";
import { announce } from "../announce.js";
import { ATTEMPT_WINDOW_MS } from "../auth/log-in.js";
import { SESSION_MS } from "../auth/sessions.js";
import type { LogEvent, LogName } from "../domain/event.js";
import { appendEvents } from "./event-store.js";
import { takeLock } from "./locks.js";
import type { Records } from "./tables.js";
import { takeTaskTurn } from "./task-turns.js";
import { removeExpired } from "./user-store.js";

export const RETENTION_TASK_MS = 3_600_000;
/** Lines a transaction removes: some hundredths of a second. */
const BATCH = 2000;
/** Batches a turn; what is left has the next turn. */
const BATCHES_MAX = 500;
/** Sessions stay a while after their end, so that one can be looked up. */
const SESSION_KEPT_MS = SESSION_MS;

export interface RetentionTools {
	readonly db: Records;
	readonly log: FastifyBaseLogger;
	readonly nowMs: () => number;
	readonly logRetentionMs: number;
	readonly isStopping: () => boolean;
}

/** Never throws: what fails is logged and tried again at the next turn. */
export async function runRetentionTask(tools: RetentionTools): Promise<void> {
	const { db } = tools;
	try {
		const nowMs = tools.nowMs();
		if (!(await takeTaskTurn(db, { name: "retention", everyMs: RETENTION_TASK_MS, nowMs }))) return;
		await removeOldEvents(tools);
		const sessionsBeforeMs = nowMs - SESSION_KEPT_MS;
		await removeExpired(db, { sessionsBeforeMs, attemptsBeforeMs: nowMs - 2 * ATTEMPT_WINDOW_MS });
	} catch (error) {
		tools.log.error({ err: error }, "old log lines not removed");
	}
}

async function removeOldEvents(tools: RetentionTools): Promise<void> {
	for (const log of ["fota", "security"] as const)
		for (let count = 0; count < BATCHES_MAX && !tools.isStopping(); count++)
			if ((await removeBatch(tools, log)) < BATCH) break;
}

/** The event that tells of the removal is part of it: never one without the other. */
async function removeBatch(tools: RetentionTools, log: LogName): Promise<number> {
	const nowMs = tools.nowMs();
	const beforeMs = nowMs - tools.logRetentionMs;
	const { count, events } = await tools.db.transaction().execute(async (transaction) => {
		await takeLock(transaction, "retention");
		const rows = await transaction
			.selectFrom("events")
			.select(["id", "at_ms"])
			.where("at_ms", "<", beforeMs)
			.where("log", "=", log)
			.orderBy("at_ms")
			.orderBy("id")
			.limit(BATCH)
			.execute();
		const [first, last] = [rows[0], rows.at(-1)];
		if (first === undefined || last === undefined) return { count: 0, events: [] };
		const ids = rows.map((row) => row.id);
		await transaction.deleteFrom("events").where("id", "in", ids).execute();
		const event: LogEvent = {
			log,
			type: "log_lines_removed",
			details: {
				count: rows.length,
				oldest: new Date(first.at_ms).toISOString(),
				newest: new Date(last.at_ms).toISOString(),
			},
		};
		await appendEvents(transaction, [event], nowMs);
		return { count: rows.length, events: [event] };
	});
	announce(tools.log, events);
	return count;
}
