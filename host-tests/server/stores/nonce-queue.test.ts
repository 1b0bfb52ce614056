// Nonces of requests that come at the same moment, on a database of their own.
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openDatabase } from "../../../server/stores/database.js";
import { findDevice, registerDevice } from "../../../server/stores/device-store.js";
import { migrateToLatest } from "../../../server/stores/migrate.js";
import { createNonceTaker, type NonceTaker } from "../../../server/stores/nonce-queue.js";
import type { Records } from "../../../server/stores/tables.js";
import { databaseKind, type TestDatabase, testDatabase } from "../test-database.js";

const DEVICES = Array.from({ length: 20 }, (_, at) => `d-${at}`);

describe("nonces that come together", () => {
	let folder: string;
	let database: TestDatabase;
	let location: string;
	let db: Records;
	let take: NonceTaker;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "fota-nonces-"));
		database = await testDatabase();
		location = database.url ?? join(folder, "fota.db");
		db = openDatabase(location);
		await migrateToLatest(db);
		for (const deviceId of DEVICES)
			await registerDevice(db, {
				deviceId,
				deviceType: "t",
				chip: undefined,
				deviceKeyHex: undefined,
				nowMs: 1,
			});
		take = createNonceTaker(db);
	});
	afterEach(async () => {
		await db.destroy();
		await database.remove();
		rmSync(folder, { recursive: true });
	});

	const takeAll = (nonce: number) =>
		Promise.all(DEVICES.map((deviceId) => take({ deviceId, nonce, nowMs: nonce })));
	const lastNonce = async (deviceId: string, records = db) =>
		(await findDevice(records, deviceId))?.last_nonce;

	it("are each taken once, also when one comes many times at once", async () => {
		expect(await takeAll(5)).toEqual(DEVICES.map(() => true));
		expect(await takeAll(5)).toEqual(DEVICES.map(() => false));
		const copies = await Promise.all(
			Array.from({ length: 9 }, () => take({ deviceId: "d-1", nonce: 6, nowMs: 6 })),
		);
		expect(copies.filter(Boolean)).toHaveLength(1);
		expect(await take({ deviceId: "d-unknown", nonce: 1, nowMs: 1 })).toBe(false);
	});

	it("are for everyone to see before any of them is let in", async () => {
		const other = openDatabase(location);
		try {
			const seen = await Promise.all(
				DEVICES.map(async (deviceId) => {
					await take({ deviceId, nonce: 7, nowMs: 7 });
					return lastNonce(deviceId, other);
				}),
			);
			expect(seen).toEqual(DEVICES.map(() => 7));
		} finally {
			await other.destroy();
		}
	});

	it.skipIf(databaseKind !== "SQLite")("are one transaction where a commit holds up everybody", async () => {
		const transaction = vi.spyOn(db, "transaction");
		await takeAll(8);
		expect(transaction).toHaveBeenCalledTimes(1);
	});

	it.skipIf(databaseKind !== "SQLite")("are none of them taken when the database fails", async () => {
		await sql`create trigger full before update on devices when new.device_id = 'd-3' and new.last_nonce = 9
			begin select raise(abort, 'the disk is full'); end`.execute(db);
		const settled = await Promise.allSettled(
			DEVICES.map((deviceId) => take({ deviceId, nonce: 9, nowMs: 9 })),
		);
		expect(settled.map(({ status }) => status)).toEqual(DEVICES.map(() => "rejected"));
		expect(await Promise.all(DEVICES.map((deviceId) => lastNonce(deviceId)))).toEqual(DEVICES.map(() => 0));
		expect(await takeAll(10)).toEqual(DEVICES.map(() => true));
	});
});
