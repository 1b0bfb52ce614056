// Events of transactions that overlap: they do not wait for each other, and who follows the log misses none. On PostgreSQL:
// SQLite lets one transaction at a time through.
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogEvent } from "../../../server/domain/event.js";
import { openDatabase } from "../../../server/stores/database.js";
import {
	appendEvents,
	listEvents,
	listEventsAfter,
	newestEventId,
} from "../../../server/stores/event-store.js";
import { migrateToLatest } from "../../../server/stores/migrate.js";
import type { Records } from "../../../server/stores/tables.js";
import { databaseKind, type TestDatabase, testDatabase } from "../test-database.js";

const event = (deviceId: string): LogEvent => ({ log: "fota", type: "boot_status", deviceId, details: {} });

describe.runIf(databaseKind === "PostgreSQL")("events of transactions that overlap", () => {
	let database: TestDatabase;
	let db: Records;
	beforeEach(async () => {
		database = await testDatabase();
		db = openDatabase(database.url ?? "");
		await migrateToLatest(db);
	});
	afterEach(async () => {
		await db.destroy();
		await database.remove();
	});

	/** A transaction that has its event's id and goes on; returns what ends it. */
	async function begin(deviceId: string): Promise<() => Promise<void>> {
		let end = () => {};
		let reached = () => {};
		const isThere = new Promise<void>((resolve) => {
			reached = resolve;
		});
		const ended = db.transaction().execute(async (transaction) => {
			await appendEvents(transaction, [event(deviceId)], 1);
			reached();
			await new Promise<void>((resolve) => {
				end = resolve;
			});
		});
		await isThere;
		return () => {
			end();
			return ended;
		};
	}
	const idsOf = (rows: readonly { readonly id: number }[]) => rows.map(({ id }) => id);

	/** How many transactions wait for a lock of ours. */
	async function waitingCount(): Promise<number> {
		const waiting = sql<{ count: number }>`select count(*)::int as count from pg_locks
			where locktype = 'advisory' and not granted
			and database = (select oid from pg_database where datname = current_database())`;
		return (await waiting.execute(db)).rows[0]?.count ?? 0;
	}

	it.each([
		["the newest one", async () => [await newestEventId(db)]],
		["those behind an id", async () => idsOf(await listEventsAfter(db, 0, 10))],
		["a page of a log", async () => idsOf(await listEvents(db, { log: "fota", after: 0, limit: 10 }))],
	])(
		"do not wait for each other, but who reads %s waits for those that began before",
		async (_name, read) => {
			const endFirst = await begin("first");
			// Would never end if it waited for the first one.
			await appendEvents(db, [event("second")], 1);
			const reading = read();
			let isRead = false;
			void reading.then(() => {
				isRead = true;
			});
			try {
				await expect.poll(async () => isRead || (await waitingCount()) > 0).toBe(true);
				expect(isRead).toBe(false);
			} finally {
				await endFirst();
			}
			const rows = await db.selectFrom("events").select(["id", "device_id"]).orderBy("id").execute();
			expect(rows.map(({ device_id: id }) => id)).toEqual(["first", "second"]);
			expect((await reading).at(-1)).toBe(rows.at(-1)?.id);
			expect(await listEventsAfter(db, 0, 10)).toHaveLength(2);
		},
	);
});
