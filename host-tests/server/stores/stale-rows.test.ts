// What is decided by rows that were read a moment ago, where they changed since: silence, and offers.
import type { KyselyPlugin } from "kysely";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { register } from "../../../server/stores/device-service.js";
import { registerDevice, takeNonce } from "../../../server/stores/device-store.js";
import { offerRelease } from "../../../server/stores/offer-release.js";
import { addReleaseKey, insertRelease } from "../../../server/stores/release-store.js";
import { findMemberships } from "../../../server/stores/rollout-member-store.js";
import { actOnRollout, createRollout } from "../../../server/stores/rollout-service.js";
import { runRolloutTask } from "../../../server/stores/rollout-task.js";
import type { DeviceRow, Records } from "../../../server/stores/tables.js";
import { findLatestUpdate } from "../../../server/stores/update-store.js";
import { RELEASE_ROW } from "../release-kit.js";
import { OPEN_PLAN } from "../rollout-rig.js";
import { databaseKind, openTestDatabase } from "../test-database.js";

const NOW_MS = 1_750_000_000_000;
const DAY_MS = 86_400_000;
const BOARD = { deviceId: "d", deviceType: "t", chip: "esp32", deviceKeyHex: undefined } as const;
const LOG = pino({ level: "silent" });

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let db: Records;
let device: DeviceRow;
beforeEach(async () => {
	database = await openTestDatabase();
	db = database.db;
	device = await registerDevice(db, { ...BOARD, nowMs: NOW_MS });
	await addReleaseKey(db, { keyId: "k", publicKeyHex: "04", nowMs: 1 });
	const release = await insertRelease(db, RELEASE_ROW);
	const doing = { actor: "t", nowMs: NOW_MS };
	const plan = { ...OPEN_PLAN, on_stop: "pause", window: null, max_concurrent_downloads: 1 } as const;
	const wanted = { name: "r", releaseId: release.id, target: { kind: "all" }, plan, priority: 0 } as const;
	await db.transaction().execute(async (transaction) => {
		const { id } = await createRollout(transaction, { ...wanted, seed: "00" }, doing);
		await actOnRollout(transaction, id, "start", doing);
	});
});
afterEach(() => database.close());

const ask = (nowMs: number) =>
	offerRelease(db, {
		device,
		chip: "esp32",
		version: "1.0.0",
		defaultTimeZone: "UTC",
		isRolloutNeeded: false,
		nowMs,
	});

describe("a question that was let in before another board was given the device's name", () => {
	it("takes no place in a rollout for that board", async () => {
		await db
			.transaction()
			.execute((transaction) =>
				register(
					transaction,
					{ ...BOARD, nowMs: NOW_MS },
					{ isNewKey: true, keyOf: ({ key_generation }) => String(key_generation) },
				),
			);
		expect(await ask(NOW_MS)).toEqual({ kind: "nothing" });
		expect(await findMemberships(db, "d")).toEqual(new Map());
		expect(await findLatestUpdate(db, "d")).toBeUndefined();
	});

	it("is answered where the board is the same", async () => {
		expect(await ask(NOW_MS)).toMatchObject({ kind: "release", release: { version: "1.1.0" } });
	});
});

describe("an update whose device was silent for a day", () => {
	const nowMs = NOW_MS + 2 * DAY_MS;
	beforeEach(async () => {
		await ask(NOW_MS);
		expect(await findLatestUpdate(db, "d")).toMatchObject({ status: "pending" });
	});
	/** `change` is done when the silent devices were just looked up. */
	async function runTask(change: () => Promise<unknown>): Promise<void> {
		let changed: Promise<unknown> | undefined;
		const between: KyselyPlugin = {
			transformQuery: ({ node }) => node,
			async transformResult({ result }) {
				if (!result.rows.some((row) => "flight_record" in row)) return result;
				changed ??= change();
				// SQLite has one connection, which is this query's until it returns; the change is next.
				if (databaseKind === "PostgreSQL") await changed;
				return result;
			},
		};
		await runRolloutTask({ db: db.withPlugin(between), log: LOG, nowMs: () => nowMs, silentAfterMs: DAY_MS });
		expect(changed).toBeDefined();
		await changed;
	}

	it("has ended", async () => {
		await runTask(async () => {});
		expect(await findLatestUpdate(db, "d")).toMatchObject({ status: "failed", error_code: "silent" });
	});

	it("goes on where the device was heard of when it was its turn", async () => {
		await runTask(() => takeNonce(db, { deviceId: "d", nonce: 1, nowMs }));
		expect(await findLatestUpdate(db, "d")).toMatchObject({ status: "pending" });
	});
});
