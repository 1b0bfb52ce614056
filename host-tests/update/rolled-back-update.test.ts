// Releases that do not hold, the operator's rollback, and a bootloader that has none.
import { describe, expect, it } from "vitest";
import type { FakeDevice } from "../fakes/fake-device.js";
import { fakeRelease } from "../fakes/fake-image.js";
import { HOUR_MS, lines, offering } from "./offering.js";

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
		expect(lines(device, /release-known-bad/)).toEqual([
			expect.stringMatching(/ release-known-bad: 1\.1\.0: failed here: boot-crashed$/),
		]);
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
		[
			"is never well for 30 s on end",
			{ healthChecks: [{ name: "grid", isHealthy: flapping(29_000) }] },
			/well for \d+ s only, not for 30 s/,
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

	it("is confirmed only 30 s after the last look that found it unhealthy", () => {
		const device = offering("1.1.0");
		const isHealthy = () => device.time.nowMs() !== 20_000;
		device.behaviours = { "1.1.0": { healthChecks: [{ name: "grid", isHealthy }] } };
		expect(device.run(HOUR_MS, () => lines(device, /state COMPLETED/).length > 0)).toBe(true);
		expect(device.time.nowMs()).toBe(51_000);
	});

	it.each([
		["another slot", { slot: "ota_0", version: "1.1.0" }, 1],
		["another version", { slot: "ota_1", version: "0.9.0" }, 1],
		["the image itself", { slot: "ota_1", version: "1.1.0" }, 3],
	])(
		"is rolled back with a count of its own tries, after a note of %s with two",
		(_what, image, tryCount) => {
			const device = offering("1.1.0");
			device.behaviours = { "1.1.0": { isOffline: true } };
			device.run(HOUR_MS, () => device.version === "1.1.0");
			const note = { ...image, releasedAt: 1000, code: "boot-unconfirmed", message: "old", tryCount: 2 };
			device.storedText = JSON.stringify({ ...device.stored, rollback: note });
			device.boot();
			const isNoted = () => device.updater?.state === "ROLLBACK";
			expect(device.run(HOUR_MS, isNoted)).toBe(true);
			expect(device.stored.rollback).toMatchObject({ slot: "ota_1", version: "1.1.0", tryCount });
		},
	);

	it("is rolled back even when storage refuses to take the reason", () => {
		const device = offering("1.1.0");
		device.behaviours = { "1.1.0": { isOffline: true } };
		device.power.isFaulty = (_count, operation) => operation === "store" && device.version === "1.1.0";
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.0.0") && device.starts.length === 3)).toBe(true);
		expect(device.server.reports.find((item) => item.isRolledBack)?.error?.code).toBe("boot-unconfirmed");
	});

	it("is kept when there is nothing to go back to, reported, and followed by a newer release", () => {
		const device = offering("1.1.0");
		device.behaviours = { "1.1.0": { healthChecks: [{ name: "grid", isHealthy: () => false }] } };
		device.run(HOUR_MS, () => device.version === "1.1.0");
		device.slots.images[0]?.fill(0);
		device.run(HOUR_MS);
		expect(device.version).toBe("1.1.0");
		expect(device.starts).toEqual(["1.0.0", "1.1.0"]);
		expect(device.server.reports.some((item) => item.error?.code === "rollback-impossible")).toBe(true);
		device.server.release = fakeRelease({ version: "1.2.0" });
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.2.0"))).toBe(true);
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

/** Fails at one look in so many milliseconds, from its first on. */
function flapping(periodMs: number): () => boolean {
	const lookMs = 1000;
	let count = 0;
	return () => count++ % (periodMs / lookMs) !== 0;
}
