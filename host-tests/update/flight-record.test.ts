// What a device tells of itself beside the state of an update: how far a failed one came, memory, signal strength, and what
// its slots hold.
import { describe, expect, it } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { ReportedSlot, StatusReport } from "../../src/protocol/status-report.js";
import type { FakeDevice } from "../fakes/fake-device.js";
import { HOUR_MS, offering } from "./offering.js";

const CHUNK_BYTES = 16_384;

function failure(device: FakeDevice, code: string): StatusReport | undefined {
	return device.server.reports.find(({ error }) => error?.code === code);
}

function shown(slots: readonly ReportedSlot[] | undefined): string[] | undefined {
	return slots?.map(({ label, state, version, hash }) => `${label} ${state} ${version} ${hash?.slice(0, 4)}`);
}

/** What was told of the slots, one after the other. */
function told(device: FakeDevice): (string[] | undefined)[] {
	return device.server.reports.filter(({ slots }) => slots !== undefined).map(({ slots }) => shown(slots));
}

function hashOf(device: FakeDevice): string | undefined {
	return device.server.release?.statement.hash.slice(0, 4);
}

describe("the report of a failed update", () => {
	it("says how far the download came, with memory and signal strength", () => {
		const device = offering("1.1.0");
		device.server.tamper = (chunk, frame) => (chunk < 3 ? frame : undefined);
		expect(device.run(HOUR_MS, () => failure(device, "download-stalled") !== undefined)).toBe(true);
		expect(failure(device, "download-stalled")).toMatchObject({
			stage: "DOWNLOADING",
			offsetBytes: 3 * CHUNK_BYTES,
			memoryMinBytes: 90_000,
			rssiDbm: -70,
		});
	});

	it("says in which stage a whole image failed, also when the server hears of it only after a restart", () => {
		const device = offering("1.1.0", { hash: "ab".repeat(32) });
		device.server.fault = (kind) => (kind === "report" ? "network-timeout" : undefined);
		device.run(HOUR_MS, () => device.storedText?.includes("hash-mismatch") === true);
		device.boot();
		device.server.fault = () => undefined;
		expect(device.run(HOUR_MS, () => failure(device, "hash-mismatch") !== undefined)).toBe(true);
		const sizeBytes = device.server.release?.image.length;
		expect(failure(device, "hash-mismatch")).toMatchObject({ stage: "VERIFYING", offsetBytes: sizeBytes });
	});

	it("goes without what nobody knows", () => {
		const device = offering("1.1.0");
		device.memoryMinBytes = undefined;
		device.rssiDbm = undefined;
		device.run(HOUR_MS, () => device.isSettledOn("1.1.0"));
		expect(device.server.reports.length).toBeGreaterThan(2);
		for (const { memoryMinBytes, rssiDbm } of device.server.reports)
			expect([memoryMinBytes, rssiDbm]).toEqual([undefined, undefined]);
	});
});

describe("the slots", () => {
	it("are told at the start, when they change, and else not", () => {
		const device = offering("1.1.0");
		device.settings = { ...device.settings, chunksPerInterval: 1, intervalMs: 4000 };
		device.run(HOUR_MS, () => device.isSettledOn("1.1.0"));
		const hash = hashOf(device);
		expect(told(device)).toEqual([
			["ota_0 running 1.0.0 undefined", "ota_1 empty undefined undefined"],
			["ota_0 running 1.0.0 undefined", `ota_1 invalid 1.1.0 ${hash}`],
			[`ota_1 trial 1.1.0 ${hash}`, "ota_0 previous 1.0.0 undefined"],
			[`ota_1 running 1.1.0 ${hash}`, "ota_0 previous 1.0.0 undefined"],
		]);
		const progress = device.server.reports.filter(({ state }) => state === "DOWNLOADING");
		expect(progress.length).toBeGreaterThan(3);
	});

	it("name the release that was rolled back as no good", () => {
		const device = offering("1.1.0");
		device.behaviours = { "1.1.0": { crashesAtMs: 100 } };
		device.run(HOUR_MS, () => failure(device, "boot-crashed") !== undefined);
		expect(told(device).at(-1)).toEqual([
			"ota_0 running 1.0.0 undefined",
			`ota_1 invalid 1.1.0 ${hashOf(device)}`,
		]);
	});

	it("keep no report back where they cannot be read, and are told with the next", () => {
		const device = offering("1.1.0");
		device.server.release = undefined;
		const spare = device.slots.spare.bind(device.slots);
		let count = 0;
		device.slots.spare = () => {
			// The first look is the start's.
			if (++count === 2) throw new FotaError("flash-failed", "ESP_ERR_FLASH_OP_FAIL");
			return spare();
		};
		device.boot();
		device.updater?.notePush(new FotaError("auth-failed", "m"));
		device.run(HOUR_MS, () => device.server.reports.length > 1);
		expect(device.log).toContain("warn slots: ESP_ERR_FLASH_OP_FAIL");
		expect(device.log.join("\n")).not.toContain("FAILED");
		expect(device.server.reports.map(({ slots }) => slots?.length)).toEqual([undefined, 2]);
	});

	it("are told again where the report with them was lost", () => {
		const device = offering("1.1.0");
		device.server.release = undefined;
		let count = 0;
		device.server.fault = (kind) => (kind === "report" && count++ < 2 ? "network-timeout" : undefined);
		device.run(HOUR_MS, () => device.server.reports.length > 0);
		expect(told(device)).toHaveLength(1);
	});

	it("are left out where the report with them is refused, which goes all the same", () => {
		const device = offering("1.1.0");
		device.server.release = undefined;
		let count = 0;
		device.server.fault = (kind) => (kind === "report" && count++ === 0 ? "request-malformed" : undefined);
		device.run(HOUR_MS, () => device.server.reports.length > 0);
		expect(told(device)).toEqual([]);
		expect(device.server.reports[0]).toMatchObject({ state: "IDLE", version: "1.0.0" });
	});
});
