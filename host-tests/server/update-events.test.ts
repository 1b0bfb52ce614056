// The event log after whole updates: the reports are those that the firmware's own update code really sends, over all
// its starts, brought to a server one by one.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeDevice } from "../fakes/fake-device.js";
import { fakeRelease } from "../fakes/fake-image.js";
import { ServerRig } from "./server-rig.js";
import { TestDevice } from "./test-device.js";

const HOUR_MS = 3_600_000;

describe("the events of what a device really reports", () => {
	let rig: ServerRig;
	let sender: TestDevice;
	let device: FakeDevice;
	beforeEach(async () => {
		rig = await ServerRig.create();
		const { key } = await rig.device("dev-1", { deviceType: "inverter" });
		sender = new TestDevice({ deviceId: "dev-1", keyHex: key.toString("hex"), deviceType: "inverter" });
		device = new FakeDevice();
		device.server.release = fakeRelease({ version: "1.1.0" });
	});
	afterEach(() => rig.close());

	/** Brings the reports to the server, each as often as `times` says; returns the types of the events. */
	async function eventsOf(reports: typeof device.server.reports, times = 1): Promise<string[]> {
		for (const report of reports) for (let i = 0; i < times; i++) await sender.report(rig.server, report);
		const types = await rig.eventTypes("fota", "&device_id=dev-1");
		return types.filter((type) => !["device_registered", "boot_status", "chunk_received"].includes(type));
	}

	it.each([1, 2])("of an update come once, each report being told %i times", async (times) => {
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(await eventsOf(device.server.reports, times)).toEqual([
			"firmware_verified",
			"firmware_applied",
			"boot_successful",
			"fota_completed",
		]);
	});

	it("name the verification all the same when the report before the restart was lost", async () => {
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		const arrived = device.server.reports.filter((report) => report.state !== "REBOOTING");
		expect(await eventsOf(arrived)).toEqual(["firmware_verified", "boot_successful", "fota_completed"]);
	});

	it("of a second installation of the same image are logged again", async () => {
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		const once = device.server.reports;
		const types = await eventsOf([...once, ...once]);
		expect(types.filter((type) => type === "firmware_verified")).toHaveLength(2);
	});

	it("of a crashing release end with one rollback", async () => {
		device.behaviours = { "1.1.0": { crashesAtMs: 500 } };
		const isBack = () => device.starts.length > 2 && device.isSettledOn("1.0.0");
		expect(device.run(HOUR_MS, isBack)).toBe(true);
		expect(await eventsOf(device.server.reports)).toEqual([
			"firmware_verified",
			"firmware_applied",
			"boot_failed",
			"rollback_triggered",
			"update_failed",
		]);
	});

	it("of an ordered rollback are that rollback, once, and no failure", async () => {
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		const before = device.server.reports.length;
		device.server.order = { orderId: 5, reason: "too warm" };
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.0.0"))).toBe(true);
		expect(await eventsOf(device.server.reports.slice(before))).toEqual(["rollback_triggered"]);
	});
});
