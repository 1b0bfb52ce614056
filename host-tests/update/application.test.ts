// What the application may say to an update: wait. And what it may not: stop it for ever by a fault of its own.
import { describe, expect, it } from "vitest";
import { HOUR_MS, offering } from "./offering.js";

describe("a busy application", () => {
	it("puts a download off until it is free, told once in the log, and orders are still asked for", () => {
		const device = offering("1.1.0");
		let isBusy = true;
		device.behaviours = { "1.0.0": { isBusy: () => isBusy } };
		expect(device.run(10 * 60_000, () => device.updater?.state === "DOWNLOADING")).toBe(false);
		expect(
			device.log.filter((line) => line === "info update 1.1.0 waits: the application is busy"),
		).toHaveLength(1);
		const asked = device.server.requests.filter((kind) => kind === "manifest").length;
		// Every 30 s, not once an hour and not in a loop.
		expect(asked).toBeGreaterThanOrEqual(15);
		expect(asked).toBeLessThanOrEqual(26);
		expect(device.server.requests.filter((kind) => kind === "order").length).toBe(asked);
		expect(device.power.operations).not.toContain("erase");
		isBusy = false;
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it("puts the restart off, but neither the download nor the image check", () => {
		const device = offering("1.1.0");
		let isBusy = false;
		device.behaviours = { "1.0.0": { isBusy: () => isBusy } };
		device.run(HOUR_MS, () => device.updater?.state === "DOWNLOADING");
		isBusy = true;
		expect(device.run(HOUR_MS, () => device.starts.length > 1)).toBe(false);
		expect(device.updater?.state).toBe("REBOOTING");
		expect(
			device.log.filter((line) => line === "info the restart waits: the application is busy"),
		).toHaveLength(1);
		isBusy = false;
		expect(device.run(60_000, () => device.starts.length > 1)).toBe(true);
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it("that cannot say whether it is busy is updated", () => {
		const device = offering("1.1.0");
		device.behaviours = {
			"1.0.0": {
				isBusy: () => {
					throw new Error("broken");
				},
			},
		};
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.log.join("\n")).toContain("the application cannot say whether it is busy: broken");
	});
});
