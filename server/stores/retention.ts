// Removes lines of the event log and the security log and finished updates that are older than the operator wants to keep,
// never without a word, and what is over of sessions and log-in attempts. The audit log, the rollouts, the last
// update and the last failure of each device are kept for ever. Called by the server's hourly task.
import type { FastifyBaseLogger } from "fastify";
import { announce } from "../announce.js";
import { ATTEMPT_WINDOW_MS } from "../auth/log-in.js";
import { SESSION_MS } from "../auth/sessions.js";
import type { LogEvent, LogName } from "../domain/event.js";
import { turn } from "../turn.js";
import { appendEvents } from "./event-store.js";
import { takeLock } from "./locks.js";
import type { Records } from "./tables.js";
import { takeTaskTurn } from "./task-turns.js";
import { findKeptUpdates } from "./update-store.js";
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

/** Never throws: what fails is logged and tried again at the next turn, and holds up nothing else. */
export async function runRetentionTask(tools: RetentionTools): Promise<void> {
	const task = { name: "retention", everyMs: RETENTION_TASK_MS, nowMs: tools.nowMs() };
	let isTurn = false;
	await attempt(tools, "old lines not looked for", async () => {
		isTurn = await takeTaskTurn(tools.db, task);
	});
	if (!isTurn) return;
	for (const log of ["fota", "security"] as const)
		await attempt(tools, `old lines of the ${log} log not removed`, () => removeOldEvents(tools, log));
	await attempt(tools, "old updates not removed", () => removeOldUpdates(tools));
	await attempt(tools, "old sessions not removed", () => removeOldSessions(tools));
}

async function attempt({ log }: RetentionTools, failure: string, part: () => Promise<void>): Promise<void> {
	try {
		await part();
	} catch (error) {
		log.error({ err: error }, failure);
	}
}

async function removeOldSessions({ db, nowMs }: RetentionTools): Promise<void> {
	const sessionsBeforeMs = nowMs() - SESSION_KEPT_MS;
	await removeExpired(db, { sessionsBeforeMs, attemptsBeforeMs: nowMs() - 2 * ATTEMPT_WINDOW_MS });
}

async function removeOldEvents(tools: RetentionTools, log: LogName): Promise<void> {
	for (let count = 0; count < BATCHES_MAX && !tools.isStopping(); count++) {
		if ((await removeBatch(tools, log)) < BATCH) break;
		await turn();
	}
}

/** Through all that are old enough, a step at a time: the last one and the last failure of each device are passed over. */
async function removeOldUpdates(tools: RetentionTools): Promise<void> {
	let from: Place | undefined = { startedAtMs: 0, id: 0 };
	for (let count = 0; count < BATCHES_MAX && from !== undefined && !tools.isStopping(); count++) {
		from = await removeUpdateBatch(tools, from);
		await turn();
	}
}

/** Of an update, in the order of their beginning. */
interface Place {
	readonly startedAtMs: number;
	readonly id: number;
}

async function removeUpdateBatch(tools: RetentionTools, from: Place): Promise<Place | undefined> {
	const nowMs = tools.nowMs();
	const { next, events } = await tools.db.transaction().execute(async (transaction) => {
		await takeLock(transaction, "retention");
		const rows = await oldUpdates(transaction, from, nowMs - tools.logRetentionMs);
		const last = rows.at(-1);
		const next = rows.length < BATCH ? undefined : last && { startedAtMs: last.at_ms, id: last.id };
		const kept = await findKeptUpdates(transaction, [...new Set(rows.map((row) => row.device_id))]);
		const old = rows.filter((row) => row.finished_at_ms !== null && !kept.has(row.id));
		if (old.length === 0) return { next, events: [] };
		const ids = old.map((row) => row.id);
		await transaction.deleteFrom("updates").where("id", "in", ids).execute();
		const event: LogEvent = { log: "fota", type: "updates_removed", details: detailsOf(old) };
		await appendEvents(transaction, [event], nowMs);
		return { next, events: [event] };
	});
	announce(tools.log, events);
	return next;
}

function oldUpdates(transaction: Records, { startedAtMs, id }: Place, beforeMs: number) {
	return transaction
		.selectFrom("updates")
		.select(["id", "device_id", "started_at_ms as at_ms", "finished_at_ms"])
		.where("started_at_ms", "<", beforeMs)
		.where((where) =>
			where.or([
				where("started_at_ms", ">", startedAtMs),
				where.and([where("started_at_ms", "=", startedAtMs), where("id", ">", id)]),
			]),
		)
		.orderBy("started_at_ms")
		.orderBy("id")
		.limit(BATCH)
		.execute();
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
		if (rows.length === 0) return { count: 0, events: [] };
		const ids = rows.map((row) => row.id);
		await transaction.deleteFrom("events").where("id", "in", ids).execute();
		const event: LogEvent = { log, type: "log_lines_removed", details: detailsOf(rows) };
		await appendEvents(transaction, [event], nowMs);
		return { count: rows.length, events: [event] };
	});
	announce(tools.log, events);
	return count;
}

function detailsOf(rows: readonly { readonly at_ms: number }[]) {
	const timeOf = (row: { readonly at_ms: number } | undefined) => new Date(row?.at_ms ?? 0).toISOString();
	return { count: rows.length, oldest: timeOf(rows[0]), newest: timeOf(rows.at(-1)) };
}
