// What is decided by rows that were read a moment ago, where they changed since: silence, offers, and how far a rollout is.
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { advanceRollout } from "../../../server/stores/advance-rollouts.js";
import { register } from "../../../server/stores/device-service.js";
import { registerDevice, takeNonce } from "../../../server/stores/device-store.js";
import { offerRelease } from "../../../server/stores/offer-release.js";
import { addReleaseKey, insertRelease } from "../../../server/stores/release-store.js";
import { changeMember, findMemberships } from "../../../server/stores/rollout-member-store.js";
import { actOnRollout, createRollout } from "../../../server/stores/rollout-service.js";
import { findRollout } from "../../../server/stores/rollout-store.js";
import { runRolloutTask } from "../../../server/stores/rollout-task.js";
import type { DeviceRow, Records } from "../../../server/stores/tables.js";
import { findLatestUpdate } from "../../../server/stores/update-store.js";
import { RELEASE_ROW } from "../release-kit.js";
import { OPEN_PLAN } from "../rollout-rig.js";
import { openTestDatabase } from "../test-database.js";
import { changeBehind } from "./change-behind.js";

const NOW_MS = 1_750_000_000_000;
const DAY_MS = 86_400_000;
const BOARD = { deviceId: "d", deviceType: "t", chip: "esp32", deviceKeyHex: undefined } as const;
const LOG = pino({ level: "silent" });

let database: Awaited<ReturnType<typeof openTestDatabase>>;
let db: Records;
let device: DeviceRow;
let rolloutId: number;
beforeEach(async () => {
	database = await openTestDatabase();
	db = database.db;
	device = await registerDevice(db, { ...BOARD, nowMs: NOW_MS });
	await addReleaseKey(db, { keyId: "k", publicKeyHex: "04", nowMs: 1 });
	const release = await insertRelease(db, RELEASE_ROW);
	const doing = { actor: "t", nowMs: NOW_MS };
	const plan = { ...OPEN_PLAN, on_stop: "pause", window: null, max_concurrent_downloads: 1 } as const;
	const wanted = { name: "r", releaseId: release.id, target: { kind: "all" }, plan, priority: 0 } as const;
	rolloutId = await db.transaction().execute(async (transaction) => {
		const { id } = await createRollout(transaction, { ...wanted, seed: "00" }, doing);
		await actOnRollout(transaction, id, "start", doing);
		return id;
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
	const runTask = async (change: () => Promise<unknown>) => {
		// When the silent devices were just looked up.
		const changing = changeBehind(db, (row) => "flight_record" in row, change);
		await runRolloutTask({ db: changing.db, log: LOG, nowMs: () => nowMs, silentAfterMs: DAY_MS });
		await changing.end();
	};

	it("has ended", async () => {
		await runTask(async () => {});
		expect(await findLatestUpdate(db, "d")).toMatchObject({ status: "failed", error_code: "silent" });
	});

	it("goes on where the device was heard of when it was its turn", async () => {
		await runTask(() => takeNonce(db, { deviceId: "d", nonce: 1, nowMs }));
		expect(await findLatestUpdate(db, "d")).toMatchObject({ status: "pending" });
	});
});

describe("a rollout whose devices are being counted while one comes through", () => {
	it("is not complete before the others are", async () => {
		await ask(NOW_MS);
		await registerDevice(db, { ...BOARD, deviceId: "e", nowMs: NOW_MS });
		for (const deviceId of ["d", "e"]) await takeNonce(db, { deviceId, nonce: 1, nowMs: NOW_MS });
		const key = { rolloutId, deviceId: "d" };
		const counting = changeBehind(
			db,
			(row) => "wave" in row && "count" in row,
			() => changeMember(db, key, { status: "succeeded", finished_at_ms: NOW_MS }),
		);
		await advanceRollout({ db: counting.db, log: LOG, nowMs: () => NOW_MS }, rolloutId);
		await counting.end();
		expect(await findRollout(db, rolloutId)).toMatchObject({ state: "running", wave_sizes: "[2]" });
	});
});
