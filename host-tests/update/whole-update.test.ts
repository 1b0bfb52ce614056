import { describe, expect, it } from "vitest";
import { FakeDevice } from "../fakes/fake-device.js";
import { fakeRelease } from "../fakes/fake-image.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function offering(version: string, options: Partial<Parameters<typeof fakeRelease>[0]> = {}): FakeDevice {
	const device = new FakeDevice();
	device.server.release = fakeRelease({ version, ...options });
	return device;
}

function lines(device: FakeDevice, pattern: RegExp): string[] {
	return device.log.filter((line) => pattern.test(line));
}

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

describe("an update that is disturbed", () => {
	it("goes on after a reset in the middle, with at most one chunk fetched twice", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => (device.server.sentChunks.get(6) ?? 0) > 0);
		device.boot();
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		const again = [...device.server.sentChunks.values()].filter((count) => count > 1);
		expect(again.length).toBeLessThanOrEqual(1);
		expect(lines(device, /download goes on at chunk/)).toHaveLength(1);
	});

	it("rejects a tampered chunk, reports it, fetches it again and nothing else twice", () => {
		const device = offering("1.1.0");
		let isTampered = false;
		device.server.tamper = (chunk, frame) => {
			if (chunk !== 4 || isTampered) return frame;
			isTampered = true;
			const copy = frame.slice();
			copy[100] = (copy[100] ?? 0) ^ 1;
			return copy;
		};
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(lines(device, /^security chunk-mac-mismatch/)).toHaveLength(1);
		const event = device.server.reports.find((report) => report.error?.code === "chunk-mac-mismatch");
		expect(event?.isSecurityEvent).toBe(true);
		expect([...device.server.sentChunks.values()].every((count) => count === 1)).toBe(true);
	});

	it("gives up a chunk that is always tampered with after a bounded number of tries, and installs it later", () => {
		const device = offering("1.1.0");
		let isHostile = true;
		device.server.tamper = (chunk, frame) =>
			chunk === 4 && isHostile ? frame.map((byte) => byte ^ (byte & 1)) : frame;
		expect(device.run(10 * MINUTE_MS, () => lines(device, /download-stalled/).length > 0)).toBe(true);
		expect(device.server.requests.filter((kind) => kind === "chunks").length).toBeLessThanOrEqual(6);
		isHostile = false;
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it.each([["a body that ends early", (chunk: number) => (chunk === 3 ? undefined : new Uint8Array())]])(
		"goes on after %s",
		() => {
			const device = offering("1.1.0");
			let count = 0;
			device.server.tamper = (chunk, frame) => (chunk === 3 && count++ < 2 ? undefined : frame);
			expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		},
	);

	it("refuses short, long and moved frames, and then takes the right ones", () => {
		for (const spoil of [
			(frame: Uint8Array) => frame.slice(0, frame.length - 1),
			(frame: Uint8Array) => Uint8Array.from([...frame, 0]),
			(frame: Uint8Array) => {
				const copy = frame.slice();
				copy[2] = 1;
				return copy;
			},
		]) {
			const device = offering("1.1.0");
			let count = 0;
			device.server.tamper = (chunk, frame) => (chunk === 5 && count++ < 2 ? spoil(frame) : frame);
			expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
			expect(lines(device, /chunk-malformed|chunk-mac-mismatch/).length).toBeGreaterThan(0);
		}
	});

	it("only retries while the server is away for an hour in the middle of a download", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => (device.server.sentChunks.get(5) ?? 0) > 0);
		device.server.fault = () => "network-unavailable";
		device.server.tamper = () => undefined;
		device.run(HOUR_MS);
		const writes = device.power.count;
		expect(device.starts).toEqual(["1.0.0"]);
		device.server.fault = () => undefined;
		device.server.tamper = (_chunk, frame) => frame;
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.starts).toEqual(["1.0.0", "1.1.0"]);
		expect(writes).toBeLessThan(20);
		expect([...device.server.sentChunks.values()].filter((count) => count > 1)).toEqual([]);
	});

	it("keeps the outcome until the server takes it, over resets", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => lines(device, /state COMPLETED/).length > 0);
		device.server.fault = () => "network-unavailable";
		device.run(10 * MINUTE_MS);
		device.boot();
		device.run(10 * MINUTE_MS);
		expect(device.server.reports.some((report) => report.state === "COMPLETED")).toBe(false);
		device.server.fault = () => undefined;
		expect(device.run(2 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.server.reports.at(-1)?.bootStatus).toBe("boot_successful");
	});

	it("puts the update off while storage is full, erasing nothing beyond the first block, and does it afterwards", () => {
		const device = offering("1.1.0");
		device.power.isFaulty = (_count, operation) => operation === "store";
		device.run(4 * HOUR_MS);
		expect(device.version).toBe("1.0.0");
		expect(device.power.operations).not.toContain("program");
		expect(device.server.reports.some((report) => report.error?.code === "storage-failed")).toBe(true);
		device.power.isFaulty = () => false;
		expect(device.run(4 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it("gives a release up whose image never has the signed hash", () => {
		const device = offering("1.1.0");
		const release = device.server.release;
		if (!release) throw new Error();
		const other = release.image.slice();
		other[5000] = (other[5000] ?? 0) ^ 1;
		device.server.release = { ...release, image: other };
		device.run(12 * HOUR_MS);
		expect(device.starts).toEqual(["1.0.0"]);
		const errors = device.server.reports.map((report) => report.error?.code).filter((code) => code);
		expect(errors).toEqual(["hash-mismatch", "hash-mismatch", "hash-mismatch", "release-known-bad"]);
		expect(Math.max(...device.server.sentChunks.values())).toBe(3);
	});
});

describe("a release that does not hold", () => {
	it("is rolled back after three boots when it crashes, remembered, and not installed again until signed anew", () => {
		const device = offering("1.1.0");
		device.behaviours = { "1.1.0": { crashesAtMs: 5000 } };
		const isBack = () => device.isSettledOn("1.0.0") && device.starts.length > 3;
		expect(device.run(HOUR_MS, isBack)).toBe(true);
		expect(device.starts).toEqual(["1.0.0", "1.1.0", "1.1.0", "1.1.0", "1.0.0"]);
		expect(device.log).toContain("warn update 1.1.0 rolled back: boot-crashed");
		const report = device.server.reports.find((item) => item.isRolledBack);
		expect(report).toMatchObject({
			state: "ROLLBACK",
			bootStatus: "boot_failed",
			version: "1.0.0",
			error: { code: "boot-crashed" },
			target: { version: "1.1.0" },
		});
		device.run(5 * HOUR_MS);
		expect(device.starts).toHaveLength(5);
		expect(lines(device, /release-known-bad/)).toHaveLength(1);
		device.behaviours = {};
		device.server.release = fakeRelease({ version: "1.1.0", releasedAt: 2000 });
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it.each([
		["never reaches the server", { isOffline: true }, /no report was accepted/],
		[
			"fails the application's check",
			{ healthChecks: [{ name: "grid", isHealthy: () => false }] },
			/unhealthy: grid/,
		],
		[
			"has a check that throws",
			{
				healthChecks: [
					{
						name: "bus",
						isHealthy: () => {
							throw new Error("no bus");
						},
					},
				],
			},
			/unhealthy: bus/,
		],
	])("is rolled back at the deadline when it %s", (_what, behaviour, message) => {
		const device = offering("1.1.0");
		device.behaviours = { "1.1.0": behaviour };
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.0.0") && device.starts.length === 3)).toBe(true);
		expect(device.starts).toEqual(["1.0.0", "1.1.0", "1.0.0"]);
		const report = device.server.reports.find((item) => item.isRolledBack);
		expect(report?.error?.code).toBe("boot-unconfirmed");
		expect(report?.error?.message).toMatch(message);
		expect(device.slots.violations).toEqual([]);
	});

	it("is rolled back even when storage refuses to take the reason", () => {
		const device = offering("1.1.0");
		device.behaviours = { "1.1.0": { isOffline: true } };
		device.power.isFaulty = (_count, operation) => operation === "store" && device.version === "1.1.0";
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.0.0") && device.starts.length === 3)).toBe(true);
		expect(device.server.reports.find((item) => item.isRolledBack)?.error?.code).toBe("boot-unconfirmed");
	});

	it("keeps running on trial when there is nothing to go back to, and is confirmed once it is well", () => {
		const device = offering("1.1.0");
		let isWell = false;
		device.behaviours = { "1.1.0": { healthChecks: [{ name: "grid", isHealthy: () => isWell }] } };
		device.run(HOUR_MS, () => device.version === "1.1.0");
		device.slots.images[0]?.fill(0);
		device.run(HOUR_MS);
		expect(device.version).toBe("1.1.0");
		expect(device.starts).toEqual(["1.0.0", "1.1.0"]);
		expect(device.server.reports.some((item) => item.error?.code === "rollback-impossible")).toBe(true);
		isWell = true;
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it("is confirmed even when storage has lost everything", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => device.version === "1.1.0");
		device.storedText = "\u0000garbage";
		device.boot();
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});
});

describe("the operator's rollback", () => {
	function updated(): FakeDevice {
		const device = offering("1.1.0");
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		return device;
	}

	it("is carried out once, reported, and the release is not installed again", () => {
		const device = updated();
		device.server.order = { orderId: 5, reason: "wrong tariff" };
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.0.0"))).toBe(true);
		const report = device.server.reports.find((item) => item.isRolledBack);
		expect(report).toMatchObject({
			bootStatus: "normal",
			rollbackOrderId: 5,
			error: { code: "rollback-requested", message: "wrong tariff" },
		});
		device.run(5 * HOUR_MS);
		expect(device.starts).toEqual(["1.0.0", "1.1.0", "1.0.0"]);
	});

	it("is refused with a report when there is nothing to go back to", () => {
		const device = offering("1.0.0");
		device.server.order = { orderId: 1, reason: "try" };
		device.run(3 * HOUR_MS);
		expect(device.starts).toEqual(["1.0.0"]);
		const reports = device.server.reports.filter((item) => item.error?.code === "rollback-impossible");
		expect(reports).toHaveLength(1);
		expect(reports[0]?.rollbackOrderId).toBe(1);
	});

	it("is not begun when storage cannot take it", () => {
		const device = updated();
		device.power.isFaulty = (_count, operation) => operation === "store";
		device.server.order = { orderId: 5, reason: "wrong tariff" };
		device.run(3 * HOUR_MS);
		expect(device.starts).toEqual(["1.0.0", "1.1.0"]);
		device.power.isFaulty = () => false;
	});
});

describe("a bootloader without rollback", () => {
	it("is reported and updates are refused", () => {
		const device = offering("1.1.0");
		device.slots.hasRollback = false;
		device.run(3 * HOUR_MS);
		expect(device.starts).toEqual(["1.0.0"]);
		expect(device.server.reports.some((item) => item.error?.code === "bootloader-without-rollback")).toBe(
			true,
		);
		expect(device.power.count).toBe(0);
	});

	it("does not keep a trial from being confirmed", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => device.version === "1.1.0");
		device.slots.hasRollback = false;
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});
});
