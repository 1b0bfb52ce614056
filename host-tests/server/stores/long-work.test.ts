// Work on many rows, on a database of its own: how often others come to their turn meanwhile, and how many transactions
// and rows it takes.
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { advanceRollout } from "../../../server/stores/advance-rollouts.js";
import { takeCensus } from "../../../server/stores/fleet-census.js";
import { addReleaseKey, insertRelease } from "../../../server/stores/release-store.js";
import { runRetentionTask } from "../../../server/stores/retention.js";
import { countWaves, previewRollout } from "../../../server/stores/rollout-census.js";
import { createRollout, type WantedTarget } from "../../../server/stores/rollout-service.js";
import { changeRollout, findRollout } from "../../../server/stores/rollout-store.js";
import { runRolloutTask } from "../../../server/stores/rollout-task.js";
import { settleRollout } from "../../../server/stores/settle-rollouts.js";
import type { Records, ReleaseRow, RolloutRow } from "../../../server/stores/tables.js";
import { RELEASE_ROW } from "../release-kit.js";
import { OPEN_PLAN } from "../rollout-rig.js";
import { databaseKind, openTestDatabase } from "../test-database.js";
import { noteStatements } from "./statement-notes.js";

const NOW_MS = 1_750_000_000_000;
const HOUR_MS = 3_600_000;
const log = pino({ level: "silent" });

/** How many turns of the event loop others have while the work goes on. */
async function turnsIn(work: () => Promise<unknown>): Promise<number> {
	let count = 0;
	let isOver = false;
	const note = () => {
		count++;
		if (!isOver) setImmediate(note);
	};
	setImmediate(note);
	await work();
	isOver = true;
	return count;
}

describe("work on many rows", () => {
	let database: Awaited<ReturnType<typeof openTestDatabase>>;
	let db: Records;
	beforeEach(async () => {
		database = await openTestDatabase();
		db = database.db;
	});
	afterEach(async () => {
		await database.close();
	});

	const idOf = (at: number) => `d-${String(at).padStart(5, "0")}`;

	async function addDevices(count: number): Promise<void> {
		const fields = { device_type: "t", chip: "esp32", last_seen_at_ms: NOW_MS, created_at_ms: 1 };
		await inPieces(
			count,
			(at) => ({ device_id: idOf(at), ...fields }),
			(rows) => db.insertInto("devices").values(rows).execute(),
		);
	}

	async function addRollout(
		target: WantedTarget = { kind: "all" },
	): Promise<{ row: RolloutRow; release: ReleaseRow }> {
		await addReleaseKey(db, { keyId: "k", publicKeyHex: "04", nowMs: 1 });
		const release = await insertRelease(db, RELEASE_ROW);
		const more = { on_stop: "roll_back", window: null, max_concurrent_downloads: 0 } as const;
		const plan = { ...OPEN_PLAN, ...more };
		const wanted = { name: "r", releaseId: release.id, target, plan, priority: 0, seed: "aa" };
		const row = await createRollout(db, wanted, { actor: "user:a", nowMs: NOW_MS });
		return { row, release };
	}

	/** A rollout that was stopped, with devices that run its release, and devices that download it. */
	async function addStopped(counts: { readonly running: number; readonly downloading: number }) {
		const { row } = await addRollout();
		const count = counts.running + counts.downloading;
		await addDevices(count);
		const member = { rollout_id: row.id, wave: 0, attempts: 1, offered_at_ms: 1 };
		const statusOf = (at: number) => (at < counts.running ? "succeeded" : "downloading");
		await inPieces(
			count,
			(at) => ({ ...member, device_id: idOf(at), status: statusOf(at) }) as const,
			(rows) => db.insertInto("rollout_devices").values(rows).execute(),
		);
		await inPieces(
			count,
			(at) => ({ ...STATUS, device_id: idOf(at) }),
			(rows) => db.insertInto("device_status").values(rows).execute(),
		);
		return changeRollout(db, row.id, { state: "stopped", is_settled: 0 });
	}

	const retention = { log, nowMs: () => NOW_MS, logRetentionMs: HOUR_MS, isStopping: () => false };

	it("lets others come to their turn between steps of the removal of old lines", async () => {
		const line = { log: "fota", type: "boot_status", at_ms: 1, device_id: null, details: "{}" } as const;
		await inPieces(
			4001,
			() => line,
			(rows) => db.insertInto("events").values(rows).execute(),
		);
		expect(await turnsIn(() => runRetentionTask({ db, ...retention }))).toBeGreaterThan(2);
	});

	it("lets others come to their turn between steps of the removal of old updates", async () => {
		await addDevices(1);
		const times = { started_at_ms: 1, changed_at_ms: 1, finished_at_ms: 1 };
		const update = { device_id: idOf(0), status: "success", attempt: 1, ...times } as const;
		await inPieces(
			4001,
			() => update,
			(rows) => db.insertInto("updates").values(rows).execute(),
		);
		expect(await turnsIn(() => runRetentionTask({ db, ...retention }))).toBeGreaterThan(2);
	});

	it("lets others come to their turn between pages of a rollout's target, and numbers of the fleet", async () => {
		const { row, release } = await addRollout();
		await addDevices(4001);
		expect(await turnsIn(() => previewRollout(db, row, release))).toBeGreaterThan(7);
		expect(await turnsIn(() => countWaves(db, row, release, NOW_MS))).toBeGreaterThan(7);
		expect(await turnsIn(() => takeCensus(db))).toBeGreaterThan(4);
	});

	it("lets others come to their turn between devices that fell silent", async () => {
		await addDevices(5);
		const times = { started_at_ms: 1, changed_at_ms: 1 };
		for (let at = 0; at < 5; at++)
			await db
				.insertInto("updates")
				.values({ device_id: idOf(at), status: "downloading", attempt: 1, ...times })
				.execute();
		const tools = { db, log, nowMs: () => NOW_MS + HOUR_MS, silentAfterMs: 1 };
		expect(await turnsIn(() => runRolloutTask(tools))).toBeGreaterThan(4);
		const open = await db.selectFrom("updates").select("id").where("finished_at_ms", "is", null).execute();
		expect(open).toEqual([]);
	});

	it("goes through a large fleet every ten minutes, however small the share of it that a rollout is for", async () => {
		const { row } = await addRollout({ kind: "share", share_percent: 1 });
		await addDevices(2001);
		await changeRollout(db, row.id, { state: "running", wave: 0, wave_opened_at_ms: NOW_MS });
		const walksAt = async (nowMs: number) => {
			const noted = noteStatements(db);
			await advanceRollout({ db: noted.db, log, nowMs: () => nowMs }, row.id);
			return noted.statements.filter(({ sql }) => sql.includes('from "devices"')).length;
		};
		expect(await walksAt(NOW_MS)).toBe(5);
		expect(await walksAt(NOW_MS + 30_000)).toBe(0);
		expect(await walksAt(NOW_MS + 599_999)).toBe(0);
		expect(await walksAt(NOW_MS + 600_000)).toBe(5);
		expect((await findRollout(db, row.id))?.counted_device_count).toBe(2001);
	});

	it("orders devices back many in a commit where that stops the process, and lets others come to their turn between", async () => {
		const { id } = await addStopped({ running: 120, downloading: 60 });
		const noted = noteStatements(db);
		expect(
			await turnsIn(() => settleRollout({ db: noted.db, log, nowMs: () => NOW_MS }, id)),
		).toBeGreaterThan(4);
		// The logs are written once a transaction.
		const logged = noted.statements.filter((query) => query.sql.startsWith('insert into "events"'));
		expect(logged).toHaveLength(databaseKind === "SQLite" ? 3 : 120);
		expect(await db.selectFrom("rollback_orders").select("device_id").execute()).toHaveLength(120);
		const aborted = db.selectFrom("rollout_devices").select("device_id").where("status", "=", "aborted");
		expect(await aborted.execute()).toHaveLength(60);
		expect(await findRollout(db, id)).toMatchObject({ is_settled: 1 });
	});

	it("orders each device back once, though two servers settle a rollout at the same time", async () => {
		const { id } = await addStopped({ running: 120, downloading: 60 });
		const tools = { db, log, nowMs: () => NOW_MS };
		await Promise.all([settleRollout(tools, id), settleRollout(tools, id)]);
		const orders = await db.selectFrom("rollback_orders").select("device_id").orderBy("device_id").execute();
		expect(orders.map((order) => order.device_id)).toEqual(Array.from({ length: 120 }, (_, at) => idOf(at)));
	});
});

/** Inserts so many rows, some at a time. */
async function inPieces<T>(
	count: number,
	rowOf: (at: number) => T,
	insert: (rows: T[]) => Promise<unknown>,
): Promise<void> {
	for (let from = 0; from < count; from += 500)
		await insert(Array.from({ length: Math.min(500, count - from) }, (_, at) => rowOf(from + at)));
}

const STATUS = {
	state: "IDLE",
	boot_status: "normal",
	device_type: "t",
	chip: "esp32",
	version: "1.1.0",
	slot: "ota_0",
	reset_reason: "sw",
	uptime_s: 1,
	reported_at_ms: 1,
} as const;
