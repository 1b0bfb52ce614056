// Scenario 5: the operator orders a device back.
import { describe, expect, test } from "vitest";
import { Rig } from "../support/rig.js";

describe("an operator's rollback order", { timeout: 240_000 }, () => {
	test("is carried out once, reported, and the release is not installed again until signed anew", async () => {
		const rig = await Rig.open();
		const device = await rig.device();
		const releasedAt = 1_700_000_000;
		await rig.publish("1.1.0", { releasedAt });
		const running = await device.start({ maxWallSeconds: 200 });
		await running.waitForLine("update 1.1.0 confirmed");
		const orderId = await rig.client.orderRollback(device.identity.deviceId, "too slow");
		await running.waitForLine("update 1.1.0 rolled back: rollback-requested");
		await rig.waitForEvent(device, { type: "rollback_triggered", code: "rollback-requested" });
		const done = { type: "boot_status", code: "rollback-requested", version: "1.0.0" };
		const { details } = await rig.waitForEvent(device, done);
		expect(details).toMatchObject({ slot: "ota_0", target_version: "1.1.0", rollback_order_id: orderId });
		await rig.waitForEvent(device, { log: "security", type: "rollback_triggered" });
		await running.waitForLine("release-known-bad: 1.1.0");
		expect(await device.boots()).toMatchObject({ slot: "ota_0", version: "1.0.0" });

		const from = running.lineCount;
		await rig.publish("1.1.0", { releasedAt: releasedAt + 1 });
		await running.waitForLine("update 1.1.0 confirmed", { from });
		const { lines } = await running.stop();
		const rollbacks = lines.filter((line) =>
			line.includes("state ROLLBACK 1.1.0: rollback-requested: too slow"),
		);
		expect(rollbacks.length).toBeGreaterThan(0);
		expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });
	});

	test("to a device that has nothing to go back to is refused, and said so", async () => {
		const rig = await Rig.open();
		const device = await rig.device();
		const running = await device.start();
		await running.waitForLine("state IDLE");
		await rig.client.orderRollback(device.identity.deviceId, "by mistake");
		await running.waitForLine("rollback-impossible");
		await rig.waitForEvent(device, { code: "rollback-impossible" });
		expect((await running.stop()).stats?.boots).toBe(1);
		expect(await device.boots()).toMatchObject({ slot: "ota_0", version: "1.0.0" });
	});
});
