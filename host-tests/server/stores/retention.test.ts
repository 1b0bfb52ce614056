// The removal of old log lines, on a database of its own.

import { CompiledQuery, sql } from "kysely";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { countAttempt } from "../../../server/stores/attempt-store.js";
import { IN_MEMORY, openDatabase } from "../../../server/stores/database.js";
import { registerDevice } from "../../../server/stores/device-store.js";
import { appendEvents, listEvents } from "../../../server/stores/event-store.js";
import { migrateToLatest } from "../../../server/stores/migrate.js";
import { type RetentionTools, runRetentionTask } from "../../../server/stores/retention.js";
import type { Records } from "../../../server/stores/tables.js";
import { findKeptUpdates, insertUpdate } from "../../../server/stores/update-store.js";
import { databaseKind, openTestDatabase } from "../test-database.js";
import { noteStatements } from "./statement-notes.js";

const DAY_MS = 86_400_000;
const START_MS = 1_750_000_000_000;

describe("old log lines", () => {
	let database: Awaited<ReturnType<typeof openTestDatabase>>;
	let db: Records;
	let nowMs: number;
	beforeEach(async () => {
		nowMs = START_MS;
		database = await openTestDatabase();
		db = database.db;
	});
	afterEach(async () => {
		await database.close();
	});

	const run = (changes: Partial<RetentionTools> = {}) =>
		runRetentionTask({
			db,
			log: pino({ level: "silent" }),
			nowMs: () => nowMs,
			logRetentionMs: 30 * DAY_MS,
			isStopping: () => false,
			...changes,
		});
	async function fill(count: number): Promise<void> {
		const event = { log: "security", type: "auth_failed", details: {} } as const;
		for (let left = count; left > 0; left -= 500)
			await appendEvents(db, Array(Math.min(left, 500)).fill(event), nowMs);
	}
	const counts = async () => {
		const events = await listEvents(db, { log: "security", limit: 5000 });
		return events.map(({ type, details }) => [type, JSON.parse(details).count]);
	};

	it("go in steps, each told, and once though two servers come for them", async () => {
		await fill(2401);
		nowMs += 30 * DAY_MS + 1;
		await Promise.all([run(), run()]);
		expect(await counts()).toEqual([
			["log_lines_removed", 2000],
			["log_lines_removed", 401],
		]);
	});

	it("stay where the server is told to stop, and when the turn was another's", async () => {
		await fill(3);
		nowMs += 30 * DAY_MS + 1;
		await run({ isStopping: () => true });
		expect(await counts()).toHaveLength(3);
		// The turn was taken: the next is an hour later.
		await run();
		expect(await counts()).toHaveLength(3);
		nowMs += 3_600_000;
		await run();
		expect(await counts()).toEqual([["log_lines_removed", 3]]);
	});

	it("go, and sessions and attempts as well, where something else cannot be removed", async () => {
		await fill(3);
		await countAttempt(db, { key: "name:u", max: 9, windowMs: 1, nowMs });
		nowMs += 30 * DAY_MS + 1;
		await sql`alter table updates rename to updates_away`.execute(db);
		try {
			await run();
		} finally {
			await sql`alter table updates_away rename to updates`.execute(db);
		}
		expect(await counts()).toEqual([["log_lines_removed", 3]]);
		expect(await db.selectFrom("login_attempts").selectAll().execute()).toEqual([]);
	});
});

describe("old updates", () => {
	it("go in steps, each told, but for the last and the last failure of each device and those that are not finished", async () => {
		const database = await openTestDatabase();
		const { db } = database;
		try {
			for (const deviceId of ["busy", "quiet", "waiting"])
				await registerDevice(db, { ...NEW_DEVICE, deviceId, nowMs: START_MS });
			// More than one step has, and the quiet one's last in the middle of them.
			for (let i = 0; i < 2100; i++)
				await insertUpdate(db, {
					...updateOf({ deviceId: i === 1000 ? "quiet" : "busy", startedAtMs: START_MS + i }),
					flight_record: i === 3 || i === 7 ? "{}" : null,
				});
			await insertUpdate(db, updateOf({ deviceId: "waiting", startedAtMs: START_MS, finishedAtMs: null }));
			await insertUpdate(db, updateOf({ deviceId: "waiting", startedAtMs: START_MS + 20 * DAY_MS }));
			const tools = {
				db,
				log: pino({ level: "silent" }),
				logRetentionMs: 30 * DAY_MS,
				isStopping: () => false,
			};
			const atTheLimit = { ...tools, nowMs: () => START_MS + 30 * DAY_MS };
			await runRetentionTask(atTheLimit);
			expect(await db.selectFrom("updates").select("id").execute()).toHaveLength(2102);
			await runRetentionTask({ ...tools, nowMs: () => START_MS + 31 * DAY_MS });
			const left = await db
				.selectFrom("updates")
				.select(["device_id", "started_at_ms"])
				.orderBy("id")
				.execute();
			expect(left.map((row) => [row.device_id, row.started_at_ms - START_MS])).toEqual([
				["busy", 7],
				["quiet", 1000],
				["busy", 2099],
				["waiting", 0],
				["waiting", 20 * DAY_MS],
			]);
			const events = await listEvents(db, { log: "fota", type: "updates_removed", limit: 10 });
			expect(events.map(({ details }) => JSON.parse(details).count)).toEqual([1997, 100]);
		} finally {
			await database.close();
		}
	});
});

describe("the updates that are kept", () => {
	it.runIf(databaseKind === "SQLite")("are found by indexes, in one statement for all devices", async () => {
		const db = openDatabase(IN_MEMORY);
		try {
			await migrateToLatest(db);
			const noted = noteStatements(db);
			await findKeptUpdates(noted.db, ["busy", "quiet"]);
			expect(noted.statements).toHaveLength(1);
			const [statement] = noted.statements.map((query) => `explain query plan ${query.sql}`);
			const plan = CompiledQuery.raw(statement ?? "", ["busy", "quiet"]);
			const { rows } = await db.executeQuery<{ detail: string }>(plan);
			const searches = rows.map(({ detail }) => detail).filter((detail) => /newest|failed/.test(detail));
			expect(searches).toEqual([
				"SEARCH newest USING COVERING INDEX updates_by_device (device_id=?)",
				"SEARCH failed USING INDEX updates_failed_by_device (device_id=?)",
			]);
		} finally {
			await db.destroy();
		}
	});
});

const NEW_DEVICE = { deviceType: "thermostat", chip: undefined, deviceKeyHex: undefined };

function updateOf(update: {
	readonly deviceId: string;
	readonly startedAtMs: number;
	readonly finishedAtMs?: number | null;
}) {
	const { deviceId, startedAtMs, finishedAtMs = startedAtMs } = update;
	return {
		device_id: deviceId,
		status: "success",
		attempt: 1,
		started_at_ms: startedAtMs,
		changed_at_ms: startedAtMs,
		finished_at_ms: finishedAtMs,
	} as const;
}
