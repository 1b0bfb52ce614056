// A report under way while another board is given the device's name, on a database of its own.
import { pino } from "pino";
import { expect, it } from "vitest";
import { IN_MEMORY, openDatabase } from "../../../server/stores/database.js";
import { replaceKey } from "../../../server/stores/device-service.js";
import { registerDevice } from "../../../server/stores/device-store.js";
import { migrateToLatest } from "../../../server/stores/migrate.js";
import { recordReport } from "../../../server/stores/record-report.js";
import { findStatus } from "../../../server/stores/status-store.js";
import type { StatusReport } from "../../../src/protocol/status-report.js";
import { testDatabase } from "../test-database.js";

const NOW_MS = 1_750_000_000_000;
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

it("a report that was let in with a key that was replaced meanwhile tells nothing of the board that has the name now", async () => {
	const database = await testDatabase();
	const db = openDatabase(database.url ?? IN_MEMORY);
	try {
		await migrateToLatest(db);
		const board = { deviceId: "d", deviceType: "thermostat", chip: undefined, deviceKeyHex: undefined };
		const before = await registerDevice(db, { ...board, nowMs: NOW_MS });
		const judge = { judge: () => undefined, idle: async () => undefined };
		const tools = { db, log: pino({ level: "silent" }), nowMs: () => NOW_MS, rolloutJudge: judge };
		await replaceKey(db, "d", { deviceKeyHex: undefined });
		await expect(recordReport(tools, before, REPORT)).rejects.toMatchObject({ code: "auth-failed" });
		expect(await findStatus(db, "d")).toBeUndefined();
		const derived = await replaceKey(db, "d", { deviceKeyHex: "ab".repeat(32) });
		await recordReport(tools, derived, REPORT);
		expect(await findStatus(db, "d")).toMatchObject({ version: "1.0.0" });
	} finally {
		await db.destroy();
		await database.remove();
	}
});
