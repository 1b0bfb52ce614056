// The network comes back: what waits for it goes on at once, and nothing else is hurried.
import { describe, expect, it } from "vitest";
import { HOUR_MS, MINUTE_MS, offering } from "./offering.js";

/** Requests of a kind within a time from now on. */
function asked(device: ReturnType<typeof offering>, kind: string, durationMs: number): number {
	const count = () => device.server.requests.filter((item) => item === kind).length;
	const before = count();
	device.time.advance(durationMs);
	return count() - before;
}

describe("when the network returns", () => {
	it("a device that could not ask asks and reports at once", () => {
		const device = offering("1.1.0");
		device.server.fault = () => "network-unavailable";
		device.boot();
		device.time.advance(30 * MINUTE_MS);
		const [first, second] = [asked(device, "manifest", 1000), asked(device, "report", 1000)];
		expect([first, second]).toEqual([0, 0]);
		device.server.fault = () => undefined;
		device.updater?.networkUp();
		expect(asked(device, "manifest", 500)).toBe(1);
		expect(device.server.reports.length).toBeGreaterThan(0);
	});

	it("a report that was not accepted goes at once, though the next poll is far", () => {
		const device = offering("1.0.0");
		device.server.fault = (kind) => (kind === "report" ? "network-unavailable" : undefined);
		device.boot();
		device.time.advance(20 * MINUTE_MS);
		device.server.fault = () => undefined;
		expect(asked(device, "report", 500)).toBe(0);
		device.updater?.networkUp();
		expect(asked(device, "report", 500)).toBe(1);
	});

	it("a download that had stalled goes on at once", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => device.server.requests.includes("chunks"));
		device.server.tamper = () => undefined;
		device.server.fault = () => "network-unavailable";
		device.time.advance(6000);
		expect(device.updater?.state).toBe("DOWNLOADING");
		expect(asked(device, "chunks", 100)).toBe(0);
		device.updater?.networkUp();
		expect(asked(device, "chunks", 100)).toBe(1);
	});

	it("a device that has asked not long ago keeps to its hour", () => {
		const device = offering("1.0.0");
		device.boot();
		device.time.advance(10 * MINUTE_MS);
		for (let i = 0; i < 20; i++) device.updater?.networkUp();
		expect(asked(device, "manifest", 30 * MINUTE_MS)).toBe(0);
	});

	it("a device that has only just started waits for its turn, so that a fleet does not ask in step", () => {
		const device = offering("1.1.0");
		device.boot();
		device.updater?.networkUp();
		expect(asked(device, "manifest", 990)).toBe(0);
		expect(asked(device, "manifest", 5000)).toBe(1);
	});
});
