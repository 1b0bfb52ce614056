// The database: migrations up and down, settings, two connections.
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { openDatabase } from "../../../server/stores/database.js";
import { registerDevice, takeNonce } from "../../../server/stores/device-store.js";
import { appendEvents } from "../../../server/stores/event-store.js";
import { MIGRATIONS, migrateDown, migrateToLatest } from "../../../server/stores/migrate.js";
import { addReleaseKey, insertRelease } from "../../../server/stores/release-store.js";
import { addRollbackOrder } from "../../../server/stores/rollback-order-store.js";
import type { Records } from "../../../server/stores/tables.js";
import { makeDatabase } from "../../support/postgres.js";
import { databaseKind } from "../test-database.js";

/** Without tables. */
async function emptyDatabase(folder: string): Promise<string> {
	const serverUrl = inject("postgresUrl");
	if (serverUrl === undefined) return join(folder, "fota.db");
	return makeDatabase(serverUrl, `m_${randomUUID()}`);
}

describe("the database", () => {
	let folder: string;
	let location: string;
	let db: Records;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "fota-migrations-test-"));
		location = await emptyDatabase(folder);
		db = openDatabase(location);
	});
	afterEach(async () => {
		await db.destroy();
		await rm(folder, { recursive: true });
	});

	async function tableNames(): Promise<string[]> {
		const tables = await db.introspection.getTables();
		return tables.map((table) => table.name).filter((name) => !name.startsWith("kysely_"));
	}

	async function fill(): Promise<void> {
		await addReleaseKey(db, { keyId: "k", publicKeyHex: "04", nowMs: 1 });
		await insertRelease(db, {
			device_type: "t",
			chip: "esp32",
			version: "1.0.0",
			build_number: 1,
			security_version: 0,
			size_bytes: 1,
			hash: "h",
			min_current_version: null,
			released_at: 1,
			chunk_bytes: 4096,
			description: null,
			statement: "s",
			key_id: "k",
			project_name: "p",
			is_active: 1,
			created_at_ms: 1,
			updated_at_ms: 1,
		});
		const device = { deviceId: "d", deviceType: "t", chip: undefined, deviceKeyHex: undefined, nowMs: 1 };
		await registerDevice(db, device);
		await addRollbackOrder(db, { deviceId: "d", reason: "r", nowMs: 1 });
		await appendEvents(db, [{ log: "fota", type: "boot_status", deviceId: "d", details: {} }], 1);
	}

	it("migrates up, down and up again with rows in place", async () => {
		await migrateToLatest(db);
		const names = await tableNames();
		expect(names).toHaveLength(6);
		await fill();
		for (const _name of Object.keys(MIGRATIONS)) await migrateDown(db);
		expect(await tableNames()).toEqual([]);
		await migrateToLatest(db);
		expect(await tableNames()).toEqual(names);
		await fill();
	});

	it("migrates once: a second time changes nothing", async () => {
		await migrateToLatest(db);
		await fill();
		await migrateToLatest(db);
		expect(await db.selectFrom("devices").selectAll().execute()).toHaveLength(1);
	});

	it("of a newer server is refused, untouched", async () => {
		await migrateToLatest(db);
		await sql`insert into kysely_migration (name, timestamp) values ('9999-later', '2100-01-01')`.execute(db);
		const message = expect.stringMatching(/newer server \(it has "9999-later"\).*backup/);
		await expect(migrateToLatest(db)).rejects.toMatchObject({ code: "server-failed", message });
		expect(await tableNames()).toHaveLength(6);
	});

	it.runIf(databaseKind === "SQLite")(
		"writes ahead, waits for other writers, and holds to its references",
		async () => {
			await migrateToLatest(db);
			const pragma = async (name: string) =>
				Object.values(
					(await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(db)).rows[0] ?? {},
				)[0];
			expect(await pragma("journal_mode")).toBe("wal");
			expect(await pragma("synchronous")).toBe(2);
			expect(await pragma("busy_timeout")).toBe(5000);
			expect(await pragma("foreign_keys")).toBe(1);
			await expect(addRollbackOrder(db, { deviceId: "nobody", reason: "r", nowMs: 1 })).rejects.toThrow(
				/FOREIGN KEY/,
			);
		},
	);

	it("lets a nonce through once over two connections", async () => {
		await migrateToLatest(db);
		await fill();
		const other = openDatabase(location);
		const take = (records: Records, nonce: number) => takeNonce(records, { deviceId: "d", nonce, nowMs: 1 });
		expect([await take(db, 5), await take(other, 5), await take(other, 4), await take(other, 6)]).toEqual([
			true,
			false,
			false,
			true,
		]);
		await other.destroy();
	});
});
