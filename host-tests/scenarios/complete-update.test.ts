// Scenario 1: the device updates itself, from poll to confirmation, firmware on XS against the real server.
import { describe, expect, test } from "vitest";
import { projectPartitions } from "../../cli/image/partition-table.js";
import { Rig } from "../support/rig.js";

const REAL_BYTES = 1040 * 1024;

describe("a complete update", { timeout: 240_000 }, () => {
	test("of ten chunks ends on the new firmware, confirmed, with every step in the server's log", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ settings: { chunkBytes: 16_384 } });
		const release = await rig.publish("1.1.0");
		const running = await device.start();
		await running.waitForLine("update 1.1.0 confirmed");
		await rig.waitForEvent(device, { type: "fota_completed" });
		const { stats, log } = await running.stop();
		expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });
		expect(Math.ceil(release.image.length / 16_384)).toBeGreaterThanOrEqual(10);
		expect(stats).toMatchObject({ boots: 2, resets: [{ reason: "SW" }] });
		expect(stats?.flash.ruleBreaks).toBe(0);
		expect(log).toMatch(/download 100 %/);
		const types = (await rig.events(device)).map(({ type }) => type);
		const steps = ["firmware_verified", "firmware_applied", "boot_successful", "fota_completed"];
		expect([...new Set(types)].filter((type) => steps.includes(type))).toEqual(steps);
		expect(await rig.events(device, "security")).toEqual([]);
		expect(await rig.status(device)).toMatchObject({ version: "1.1.0", slot: "ota_1" });
	});

	test.each([4096, 16_384])("of real size in chunks of %i bytes takes few requests", async (chunkBytes) => {
		const rig = await Rig.open();
		const proxy = await rig.proxy();
		const partitions = projectPartitions();
		const device = await rig.device({ settings: { chunkBytes }, partitions, port: proxy.port });
		await rig.publish("1.1.0", { sizeBytes: REAL_BYTES });
		const result = await device.run({ until: ["update 1.1.0 confirmed"] });
		expect(result.stats?.end).toBe("until");
		expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });
		expect(proxy.targets.filter((target) => target.includes("/chunk?"))).toHaveLength(1);
	});

	test("paced by chunks an interval leaves pauses between its requests", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy();
		const settings = { chunkBytes: 16_384, chunksPerInterval: 4, intervalMs: 2000 };
		const device = await rig.device({ settings, port: proxy.port });
		const release = await rig.publish("1.1.0");
		const result = await device.run({ until: ["update 1.1.0 confirmed"] });
		expect(result.stats?.end).toBe("until");
		const chunkCount = Math.ceil(release.image.length / 16_384);
		const asked = proxy.targets.filter((target) => target.includes("/chunk?"));
		expect(asked).toHaveLength(Math.ceil(chunkCount / 4));
		expect(result.stats?.virtualMs).toBeGreaterThan(30_000 + 2000 * (asked.length - 1));
	});

	test("goes on from release to release, each in the other slot", async () => {
		const rig = await Rig.open();
		const device = await rig.device();
		const running = await device.start();
		for (const [version, slot] of [
			["1.1.0", "ota_1"],
			["1.2.0", "ota_0"],
			["1.3.0", "ota_1"],
		] as const) {
			await rig.publish(version);
			await running.waitForLine(`update ${version} confirmed`);
			expect(await device.boots()).toEqual({ slot, state: "valid", version });
		}
	});

	test.each(["esp32c3", "esp32s3"] as const)("works on %s", async (chip) => {
		const rig = await Rig.open();
		const device = await rig.device({ chip });
		await rig.publish("1.1.0", { chip });
		const result = await device.run({ until: ["update 1.1.0 confirmed"] });
		expect(result.stats?.end).toBe("until");
	});

	test("skips releases for other chips and device types", async () => {
		const rig = await Rig.open();
		const device = await rig.device();
		await rig.publish("1.1.0", { chip: "esp32s3" });
		await rig.publish("1.2.0", { deviceType: "pump" });
		const running = await device.start();
		for (let poll = 0, from = 0; poll < 3; poll++, from = running.lineCount)
			await running.waitForLine("state IDLE", { from });
		const { log } = await running.stop();
		expect(log).not.toContain("DOWNLOADING");
	});
});
