// The removal of old log lines, on a database of its own.
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { IN_MEMORY, openDatabase } from "../../../server/stores/database.js";
import { appendEvents, listEvents } from "../../../server/stores/event-store.js";
import { migrateToLatest } from "../../../server/stores/migrate.js";
import { type RetentionTools, runRetentionTask } from "../../../server/stores/retention.js";
import type { Records } from "../../../server/stores/tables.js";
import { type TestDatabase, testDatabase } from "../test-database.js";

const DAY_MS = 86_400_000;
const START_MS = 1_750_000_000_000;

describe("old log lines", () => {
	let database: TestDatabase;
	let db: Records;
	let nowMs: number;
	beforeEach(async () => {
		nowMs = START_MS;
		database = await testDatabase();
		db = openDatabase(database.url ?? IN_MEMORY);
		await migrateToLatest(db);
	});
	afterEach(async () => {
		await db.destroy();
		await database.remove();
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
});
