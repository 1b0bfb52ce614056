// Which events a report makes after the one before it, as tables.
import { describe, expect, it } from "vitest";
import { eventsOfReport, type ReportBefore } from "../../../server/domain/report-events.js";
import type { StatusReport } from "../../../src/protocol/status-report.js";

const HASH = "a".repeat(64);
const OTHER = "b".repeat(64);
const target = { version: "1.1.0", hash: HASH };
const idle: StatusReport = {
	state: "IDLE",
	bootStatus: "normal",
	deviceType: "t",
	chip: "esp32",
	version: "1.0.0",
	slot: "ota_0",
	resetReason: "sw",
	uptimeSeconds: 100,
};
const before: ReportBefore = {
	state: "IDLE",
	bootStatus: "normal",
	uptimeSeconds: 90,
	targetHash: undefined,
	chunksReceived: undefined,
	isVerified: false,
	isRolledBack: false,
	errorCode: undefined,
};

function types(known: Partial<ReportBefore> | undefined, report: Partial<StatusReport>): string[] {
	const last = known && { ...before, ...known };
	return eventsOfReport("d", last, { ...idle, ...report }).map((event) => `${event.log} ${event.type}`);
}

describe("the events of a report", () => {
	it("are none when nothing changed", () => {
		expect(types({}, {})).toEqual([]);
	});

	it("begin with the boot status, at the first report and after each restart", () => {
		expect(types(undefined, {})).toEqual(["fota boot_status"]);
		expect(types({}, { uptimeSeconds: 3 })).toEqual(["fota boot_status"]);
	});

	it.each([
		["first chunks", {}, { target, chunksReceived: 4 }, ["fota chunk_received"]],
		["no chunk yet", {}, { target, chunksReceived: 0 }, []],
		[
			"more chunks",
			{ targetHash: HASH, chunksReceived: 4 },
			{ target, chunksReceived: 5 },
			["fota chunk_received"],
		],
		["the same chunks", { targetHash: HASH, chunksReceived: 4 }, { target, chunksReceived: 4 }, []],
		[
			"as many of another image",
			{ targetHash: OTHER, chunksReceived: 4 },
			{ target, chunksReceived: 4 },
			["fota chunk_received"],
		],
		["verified", { targetHash: HASH }, { target, isVerified: true }, ["fota firmware_verified"]],
		["verified still", { targetHash: HASH, isVerified: true }, { target, isVerified: true }, []],
	])("of a download: %s", (_name, known, report, expected) => {
		expect(types(known, report)).toEqual(expected);
	});

	it.each([
		["pending_reboot", ["fota boot_status", "fota firmware_applied"]],
		["boot_successful", ["fota boot_status", "fota boot_successful"]],
		["boot_failed", ["fota boot_status", "fota boot_failed"]],
		["boot_verification", ["fota boot_status"]],
	] as const)("of boot status %s come once", (bootStatus, expected) => {
		expect(types({ targetHash: HASH }, { target, bootStatus })).toEqual(expected);
		expect(types({ targetHash: HASH, bootStatus }, { target, bootStatus })).toEqual([]);
	});

	it("of a second failed release follow those of the first without a pause", () => {
		expect(
			types({ targetHash: OTHER, bootStatus: "boot_failed" }, { target, bootStatus: "boot_failed" }),
		).toEqual(["fota boot_failed"]);
	});

	it("of a rollback come once, in both logs, whether told before the restart, after it, or both", () => {
		const both = ["fota rollback_triggered", "security rollback_triggered"];
		expect(types({ targetHash: HASH }, { target, state: "ROLLBACK" })).toEqual(both);
		expect(types({ targetHash: HASH }, { target, isRolledBack: true })).toEqual(both);
		expect(types({ targetHash: HASH, state: "ROLLBACK" }, { target, isRolledBack: true })).toEqual([]);
	});

	it("of an error say whether a check or something else failed, once", () => {
		const error = (code: "hash-mismatch" | "flash-failed") => ({ error: { code, message: "m" } });
		expect(types({}, error("hash-mismatch"))).toEqual(["fota verification_failed"]);
		expect(types({}, error("flash-failed"))).toEqual(["fota update_failed"]);
		expect(types({ errorCode: "flash-failed" }, error("flash-failed"))).toEqual([]);
	});

	it("of a security event are repeated as often as it is told", () => {
		const report = { error: { code: "chunk-mac-mismatch", message: "m" }, isSecurityEvent: true } as const;
		expect(types({ errorCode: "chunk-mac-mismatch" }, report)).toEqual([
			"fota verification_failed",
			"security device_security_event",
		]);
	});

	it("end with the completed update, once", () => {
		expect(types({ targetHash: HASH }, { target, state: "COMPLETED" })).toEqual(["fota fota_completed"]);
		expect(types({ targetHash: HASH, state: "COMPLETED" }, { target, state: "COMPLETED" })).toEqual([]);
	});
});
