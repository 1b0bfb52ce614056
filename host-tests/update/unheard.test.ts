// A device that reaches nobody for a day restarts, since a radio or a network stack that hangs is cured by nothing else;
// and what it has lost at its start is told.
import { describe, expect, it } from "vitest";
import { fakeRelease } from "../fakes/fake-image.js";
import { HOUR_MS, MINUTE_MS, offering } from "./offering.js";
import { Sender } from "./push-sender.js";

const DAY_MS = 24 * HOUR_MS;
/** The back-off before the first failure and the poll that finds the day over. */
const SLACK_MS = 2 * HOUR_MS;

function unreachable(fault: "network-unavailable" | "network-timeout" | "http-status") {
	const device = offering("1.0.0");
	device.server.fault = () => fault;
	return device;
}

describe("a device that nobody answers", () => {
	it("restarts after a day, not before, and every day from then on", () => {
		const device = unreachable("network-unavailable");
		device.run(DAY_MS - MINUTE_MS);
		expect(device.starts).toHaveLength(1);
		device.run(SLACK_MS, () => device.starts.length === 2);
		expect(device.starts).toHaveLength(2);
		expect(device.log.join("\n")).toContain("error no word from the server for 24 h: restarting");
		device.run(DAY_MS - SLACK_MS);
		expect(device.starts).toHaveLength(2);
		device.run(2 * SLACK_MS, () => device.starts.length === 3);
		expect(device.starts).toHaveLength(3);
	});

	it("tells the server how often, once, when it is reached", () => {
		const device = unreachable("network-timeout");
		device.run(3 * DAY_MS, () => device.starts.length === 3);
		device.server.fault = () => undefined;
		device.run(3 * HOUR_MS);
		const told = device.server.reports.filter((report) => report.error?.code === "network-unavailable");
		expect(told.map((report) => report.error?.message)).toEqual([
			"restarted after 24 h without an answer (count 2)",
		]);
		device.run(DAY_MS + SLACK_MS);
		expect(device.starts).toHaveLength(3);
	});

	it("restarts although storage refuses to count it", () => {
		const device = unreachable("network-unavailable");
		device.power.isFaulty = (_count, operation) => operation === "store";
		device.run(DAY_MS + SLACK_MS, () => device.starts.length === 2);
		expect(device.starts).toHaveLength(2);
	});

	it("does not restart while its application is busy, and does afterwards", () => {
		const device = unreachable("network-unavailable");
		let isBusy = true;
		device.behaviours = { "1.0.0": { isBusy: () => isBusy } };
		device.run(2 * DAY_MS);
		expect(device.starts).toHaveLength(1);
		isBusy = false;
		device.run(SLACK_MS, () => device.starts.length === 2);
		expect(device.starts).toHaveLength(2);
	});

	it("does not restart where it is answered, however wrongly: its network works", () => {
		const device = unreachable("http-status");
		device.run(3 * DAY_MS);
		expect(device.starts).toHaveLength(1);
	});

	it("begins its day anew with a push, refused or broken off as it may be in the end", () => {
		const sender = new Sender(unreachable("network-unavailable"), fakeRelease({ version: "1.1.0" }));
		const { device } = sender;
		device.run(20 * HOUR_MS, () => device.time.nowMs() > 19 * HOUR_MS && device.updater?.state === "IDLE");
		expect(sender.push()).toBe("accepted");
		device.run(23 * HOUR_MS);
		expect(sender.ends).toHaveLength(1);
		expect(device.starts).toHaveLength(1);
	});

	it("begins its day anew with each answer", () => {
		const device = unreachable("network-unavailable");
		device.run(20 * HOUR_MS);
		device.server.fault = () => undefined;
		device.run(2 * HOUR_MS);
		device.server.fault = () => "network-unavailable";
		device.run(20 * HOUR_MS);
		expect(device.starts).toHaveLength(1);
	});
});

describe("storage that was erased at the start", () => {
	it("is logged and told to the server", () => {
		const device = offering("1.0.0");
		device.hasErasedStorage = true;
		device.run(HOUR_MS);
		expect(device.log).toContain("error storage-failed: storage was unusable at the start and was erased");
		const told = device.server.reports.filter((report) => report.error?.code === "storage-failed");
		expect(told).toHaveLength(1);
	});

	it("is not spoken of where it was not", () => {
		const device = offering("1.0.0");
		device.run(HOUR_MS);
		expect(device.server.reports.some((report) => report.error !== undefined)).toBe(false);
	});
});
