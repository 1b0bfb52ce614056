// What is known of a device's slots after a report that tells of them, or of the running one alone.
import { describe, expect, it } from "vitest";
import { type KnownSlot, slotsOfReport } from "../../../server/domain/device-slots.js";
import type { ReportedSlot, StatusReport } from "../../../src/protocol/status-report.js";

const REPORT: StatusReport = {
	state: "IDLE",
	bootStatus: "normal",
	deviceType: "thermostat",
	chip: "esp32",
	version: "1.1.0",
	slot: "ota_0",
	resetReason: "poweron",
	uptimeSeconds: 1,
};
const known = (slot: string, version: string, state: string, hash: string | null = null): KnownSlot => ({
	slot,
	version,
	hash,
	state,
});
const said = (label: string, version: string | undefined, state: ReportedSlot["state"]): ReportedSlot => ({
	label,
	version,
	hash: undefined,
	state,
});

describe("the slots of a device", () => {
	it("have the one that ran before as gone back to, also where the device does not name it", () => {
		const before = [known("factory", "1.0.0", "running"), known("ota_0", "1.1.0", "empty")];
		const slots = [said("ota_0", "1.1.0", "running"), said("ota_1", undefined, "empty")];
		expect(slotsOfReport(before, { ...REPORT, slots })).toEqual([
			known("ota_0", "1.1.0", "running"),
			{ slot: "ota_1", version: null, hash: null, state: "empty" },
			known("factory", "1.0.0", "previous"),
		]);
	});

	it("are as the device says where it names them, with the hash that was known of that version", () => {
		const before = [known("ota_0", "1.1.0", "running", "ab"), known("ota_1", "1.0.0", "previous", "cd")];
		const slots = [said("ota_0", "1.1.0", "running"), said("ota_1", "1.0.0", "invalid")];
		expect(slotsOfReport(before, { ...REPORT, slots })).toEqual([known("ota_1", "1.0.0", "invalid", "cd")]);
	});

	it("are known by the running one where the device tells of no other", () => {
		expect(slotsOfReport([known("ota_1", "1.0.0", "running")], REPORT)).toEqual([
			known("ota_0", "1.1.0", "running"),
			known("ota_1", "1.0.0", "previous"),
		]);
	});
});
