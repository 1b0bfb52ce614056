// Requests that are refused again and again write no more after a while, on a database of their own: each write would be a
// commit, for which devices wait.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { countAttempt } from "../../../server/stores/attempt-store.js";
import { openDatabase } from "../../../server/stores/database.js";
import { countStaleNonce, registerDevice, takeNonce } from "../../../server/stores/device-store.js";
import { migrateToLatest } from "../../../server/stores/migrate.js";
import type { Records } from "../../../server/stores/tables.js";
import { databaseKind, type TestDatabase, testDatabase } from "../test-database.js";

let folder: string;
let database: TestDatabase;
let db: Records;
/** Another connection, which sees what is committed. */
let other: Records;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "fota-refused-"));
	database = await testDatabase();
	const location = database.url ?? join(folder, "fota.db");
	db = openDatabase(location);
	await migrateToLatest(db);
	other = openDatabase(location);
});
afterEach(async () => {
	await Promise.all([db.destroy(), other.destroy()]);
	await database.remove();
	await rm(folder, { recursive: true });
});

/** Another one after each commit that changed something: of the file, or of the table's only row. */
async function mark(table: string): Promise<unknown> {
	const query =
		databaseKind === "SQLite" ? sql`pragma data_version` : sql`select xmin::text, * from ${sql.table(table)}`;
	return (await query.execute(other)).rows;
}

describe("what is refused again and again", () => {
	it("writes no more once a name or an address is locked, until its window is over", async () => {
		const attempt = (nowMs: number) => countAttempt(db, { key: "name:u", max: 3, windowMs: 100, nowMs });
		for (let count = 1; count <= 4; count++) expect(await attempt(1)).toEqual({ count, windowEndsAtMs: 101 });
		const before = await mark("login_attempts");
		for (let i = 0; i < 20; i++) expect(await attempt(50)).toEqual({ count: 4, windowEndsAtMs: 101 });
		expect(await mark("login_attempts")).toEqual(before);
		expect(await attempt(101)).toEqual({ count: 1, windowEndsAtMs: 201 });
		expect(await mark("login_attempts")).not.toEqual(before);
	});

	it("writes no more for a request of a device that is sent again", async () => {
		const deviceId = "dev-1";
		const options = { deviceId, deviceType: "t", chip: undefined, deviceKeyHex: undefined, nowMs: 1 };
		await registerDevice(db, options);
		expect(await takeNonce(db, { deviceId, nonce: 5, nowMs: 1 })).toBe(true);
		const counts: number[] = [];
		const sendAgain = async () => {
			expect(await takeNonce(db, { deviceId, nonce: 5, nowMs: 2 })).toBe(false);
			const { lastNonce, staleCount } = await countStaleNonce(db, deviceId);
			expect(lastNonce).toBe(5);
			counts.push(staleCount);
		};
		await sendAgain();
		await sendAgain();
		const before = await mark("devices");
		for (let i = 0; i < 20; i++) await sendAgain();
		expect(await mark("devices")).toEqual(before);
		expect(counts).toEqual([1, ...Array(21).fill(2)]);
		expect(await takeNonce(db, { deviceId, nonce: 6, nowMs: 3 })).toBe(true);
		expect(await countStaleNonce(db, deviceId)).toEqual({ lastNonce: 6, staleCount: 1 });
	});
});
