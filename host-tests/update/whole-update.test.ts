// Updates that nothing disturbs: what is asked, told, written and logged from the poll to the confirmation.
import { describe, expect, it } from "vitest";
import { FakeDevice } from "../fakes/fake-device.js";
import { fakeRelease } from "../fakes/fake-image.js";
import { HOUR_MS, lines, offering } from "./offering.js";

describe("a whole update", () => {
	it("goes from the poll to the confirmed firmware, and tells the server", () => {
		const device = offering("1.1.0");
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.starts).toEqual(["1.0.0", "1.1.0"]);
		expect(device.slots.violations).toEqual([]);
		expect(device.server.reports.map((report) => `${report.state} ${report.bootStatus}`)).toEqual([
			"IDLE normal",
			"DOWNLOADING normal",
			"REBOOTING pending_reboot",
			"BOOT_VERIFICATION boot_verification",
			"COMPLETED boot_successful",
		]);
		expect(device.server.reports[2]?.isVerified).toBe(true);
		expect(device.log).toContain("info update 1.1.0 confirmed");
		expect(device.log).toContain("info idle, running 1.0.0 in ota_0");
		expect(device.log).toContain("info idle, running 1.1.0 in ota_1");
	});

	it("costs four requests from the poll to the restart and seven storage writes for 1,040 KB", () => {
		const device = offering("1.1.0", { sizeBytes: 1040 * 1024 });
		device.settings = { ...device.settings, chunkBytes: 4096 };
		const big = new FakeDevice({ slotBytes: 0x1f_0000 });
		big.settings = device.settings;
		big.server.release = device.server.release;
		expect(big.run(HOUR_MS, () => big.isSettledOn("1.1.0"))).toBe(true);
		// The first report is the start-up report of 1.0.0.
		expect(big.server.requests.slice(0, 6)).toEqual([
			"report",
			"manifest",
			"report",
			"chunks",
			"report",
			"report",
		]);
		expect(big.server.requests.filter((kind) => kind === "chunks")).toHaveLength(1);
		expect(big.power.operations.filter((kind) => kind === "store").length).toBeLessThanOrEqual(7);
		expect([...big.server.sentChunks.values()].every((count) => count === 1)).toBe(true);
	});

	it("downloads in goes with pauses when it is told to, and holds no connection in a pause", () => {
		const device = offering("1.1.0");
		device.settings = { ...device.settings, chunksPerInterval: 5, intervalMs: 30_000 };
		let connectedPauses = 0;
		const isDone = () => {
			if (
				device.updater?.state === "DOWNLOADING" &&
				(device.time.nextMs ?? 0) > 1000 &&
				device.cloud.isConnected
			)
				connectedPauses++;
			return device.isSettledOn("1.1.0");
		};
		expect(device.run(HOUR_MS, isDone)).toBe(true);
		expect(device.server.requests.filter((kind) => kind === "chunks")).toHaveLength(3);
		expect(connectedPauses).toBe(0);
	});

	it("holds no connection while it only waits", () => {
		const device = offering("1.1.0");
		const held = new Set<string>();
		device.run(5 * HOUR_MS, () => {
			if ((device.time.nextMs ?? 0) >= 1000 && device.cloud.isConnected)
				held.add(device.updater?.state ?? "");
			return false;
		});
		expect([...held]).toEqual([]);
	});

	it("reports progress at the interval, never two reports at a time", () => {
		const device = offering("1.1.0");
		device.server.pieceMs = 500;
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		const progress = device.server.reports.filter((report) => report.state === "DOWNLOADING");
		expect(progress.length).toBeGreaterThan(5);
		const chunks = progress.map((report) => report.chunksReceived ?? -1);
		expect(chunks).toEqual([...chunks].sort((a, b) => a - b));
		expect(lines(device, /download \d+ % \(\d+ of 12 chunks\), \d+ KB, \d+ KB\/s/)).toHaveLength(12);
	});

	it("polls on when nothing newer is offered, without a word about it", () => {
		const device = offering("1.0.0");
		device.run(5 * HOUR_MS);
		expect(device.server.requests.filter((kind) => kind === "manifest").length).toBeGreaterThanOrEqual(5);
		expect(device.server.reports).toHaveLength(1);
		expect(lines(device, /version-not-newer/)).toEqual([]);
		expect(device.power.count).toBe(0);
	});

	it("installs the next release after the first", () => {
		const device = offering("1.1.0");
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		device.server.release = fakeRelease({ version: "1.2.0" });
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.2.0"))).toBe(true);
		expect(device.starts).toEqual(["1.0.0", "1.1.0", "1.2.0"]);
		expect(device.slots.violations).toEqual([]);
	});
});
