// Reports under way while another board is given the device's name, and reports that would fill the database, on a
// database of its own.
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decommission, replaceKey } from "../../../server/stores/device-service.js";
import { registerDevice } from "../../../server/stores/device-store.js";
import { listEvents } from "../../../server/stores/event-store.js";
import { findSlots } from "../../../server/stores/fleet-store.js";
import { type ReportTools, recordReport } from "../../../server/stores/record-report.js";
import { findStatus } from "../../../server/stores/status-store.js";
import type { DeviceRow, Records } from "../../../server/stores/tables.js";
import { findLatestUpdate } from "../../../server/stores/update-store.js";
import type { StatusReport } from "../../../src/protocol/status-report.js";
import { openTestDatabase } from "../test-database.js";

const NOW_MS = 1_750_000_000_000;
const HOUR_END_MS = 1_750_003_200_000;
const REPORT: StatusReport = {
	state: "IDLE",
	bootStatus: "normal",
	deviceType: "thermostat",
	chip: "esp32",
	version: "1.0.0",
	slot: "ota_0",
	resetReason: "poweron",
	uptimeSeconds: 10,
};

const BOARD = { deviceId: "d", deviceType: "thermostat", chip: undefined, deviceKeyHex: undefined };

describe("a report", () => {
	let database: Awaited<ReturnType<typeof openTestDatabase>>;
	let db: Records;
	let device: DeviceRow;
	let tools: ReportTools;
	let nowMs: number;
	beforeEach(async () => {
		nowMs = NOW_MS;
		database = await openTestDatabase();
		db = database.db;
		device = await registerDevice(db, { ...BOARD, nowMs });
		const rolloutJudge = { judge: () => undefined, idle: async () => undefined };
		tools = { db, log: pino({ level: "silent" }), nowMs: () => nowMs, rolloutJudge };
	});
	afterEach(async () => {
		await database.close();
	});

	const report = (more: Partial<StatusReport> = {}, nonce?: number) =>
		recordReport(tools, { device, nonce }, { ...REPORT, ...more });

	it("that was let in with a key that was replaced meanwhile tells nothing of the board that has the name now", async () => {
		await replaceKey(db, "d", { deviceKeyHex: undefined });
		await expect(report()).rejects.toMatchObject({ code: "auth-failed" });
		expect(await findStatus(db, "d")).toBeUndefined();
		device = await replaceKey(db, "d", { deviceKeyHex: "ab".repeat(32) });
		await report();
		expect(await findStatus(db, "d")).toMatchObject({ version: "1.0.0" });
	});

	it("that was let in before the device was taken out of service takes up no update that ended with that", async () => {
		const target = { version: "1.1.0", hash: "ab".repeat(32) };
		await report({ state: "DOWNLOADING", target, chunksReceived: 8, chunkCount: 9 });
		await db.transaction().execute((transaction) => decommission(transaction, "d", nowMs));
		await expect(report({ state: "WRITING", target })).rejects.toMatchObject({ code: "auth-failed" });
		expect(await findLatestUpdate(db, "d")).toMatchObject({ status: "aborted" });
		expect(await findStatus(db, "d")).toMatchObject({ state: "DOWNLOADING" });
	});

	it("that comes behind a later one of the device changes nothing, and an old device's always counts", async () => {
		const target = { version: "1.1.0", hash: "ab".repeat(32) };
		await report({ state: "DOWNLOADING", target, chunksReceived: 8, chunkCount: 9 }, 4);
		const done = { state: "COMPLETED", bootStatus: "boot_successful", version: "1.1.0", target } as const;
		await report(done, 6);
		const late = report({ state: "REBOOTING", bootStatus: "pending_reboot", target }, 5);
		await expect(late).rejects.toMatchObject({ code: "server-unavailable" });
		expect(await findStatus(db, "d")).toMatchObject({ state: "COMPLETED", version: "1.1.0" });
		expect(await findLatestUpdate(db, "d")).toMatchObject({ status: "success" });
		await report({ version: "1.1.0" });
		expect(await findStatus(db, "d")).toMatchObject({ state: "IDLE" });
		await report({ version: "1.1.0" }, 1);
	});

	it("leaves eight slots at most, whatever labels a device made up: its own, and the newest heard of", async () => {
		const slot = (label: string, state: "running" | "empty") =>
			({ label, version: undefined, hash: undefined, state }) as const;
		const own = [slot("ota_0", "running"), slot("ota_1", "empty"), slot("factory", "empty")];
		await report({ slots: own });
		for (let at = 0; at < 30; at++) {
			nowMs += 1000;
			await report({ slots: [slot(`x${at}`, "empty"), slot(`y${at}`, "empty")] });
		}
		const labels = async () => (await findSlots(db, "d")).map((row) => row.slot);
		expect(await labels()).toEqual(["ota_0", "x26", "x27", "x28", "x29", "y27", "y28", "y29"].sort());
		nowMs += 1000;
		await report({ slots: own });
		const left = await labels();
		expect(left).toHaveLength(8);
		expect(left).toEqual(expect.arrayContaining(["ota_0", "ota_1", "factory"]));
	});

	it("begins a bounded number of updates an hour; above it each takes the place of the newest, which is told once", async () => {
		const target = (at: number) => ({ version: `1.0.${at}`, hash: String(at).padStart(64, "0") });
		const download = (at: number) =>
			report({ state: "DOWNLOADING", target: target(at), chunksReceived: 1, chunkCount: 9 });
		const history = () => db.selectFrom("updates").selectAll().orderBy("id").execute();
		const told = () => listEvents(db, { log: "fota", type: "update_history_full", limit: 10 });
		for (let at = 0; at < 100; at++) await download(at);
		expect(await told()).toEqual([]);
		const error = { code: "download-stalled", message: "no answer" } as const;
		await download(100);
		await report({ state: "FAILED", target: target(100), error });
		for (let at = 101; at < 130; at++) await download(at);
		const rows = await history();
		expect(rows).toHaveLength(101);
		expect(rows.at(-2)).toMatchObject({ to_version: "1.0.99", status: "aborted" });
		const blank = { error_code: null, flight_record: null, finished_at_ms: null };
		expect(rows.at(-1)).toMatchObject({ to_version: "1.0.129", status: "downloading", ...blank });
		expect(await findStatus(db, "d")).toMatchObject({ target_version: "1.0.129" });
		expect((await told()).map(({ details }) => JSON.parse(details))).toEqual([
			{ count: 100, until: new Date(HOUR_END_MS).toISOString() },
		]);
		nowMs = HOUR_END_MS;
		await download(130);
		expect(await history()).toHaveLength(102);
		expect(await told()).toHaveLength(1);
	});
});
