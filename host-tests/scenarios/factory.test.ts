// D10 on a board with a factory slot: the first update leaves it, a bad one leads back to it, and so does an order where the
// settings prefer it to the previous slot.
import { describe, expect, test } from "vitest";
import { parsePartitionsCsv } from "../../cli/image/partition-table.js";
import { Rig } from "../support/rig.js";

const SLOT_BYTES = 7 * 65_536;
const PARTITIONS = parsePartitionsCsv(`
	nvs, data, nvs, 0x9000, 0x4000
	otadata, data, ota, 0xd000, 0x2000
	fota_id, data, 0x40, 0x10000, 0x2000
	factory, app, factory, 0x20000, ${SLOT_BYTES}
	ota_0, app, ota_0, ${0x20000 + SLOT_BYTES}, ${SLOT_BYTES}
	ota_1, app, ota_1, ${0x20000 + 2 * SLOT_BYTES}, ${SLOT_BYTES}
`);

describe("a board with a factory slot", { timeout: 240_000 }, () => {
	test.each(["crashes-at-boot", "never-healthy"] as const)(
		"comes back to it from a first release that %s, and says why",
		async (entry) => {
			const rig = await Rig.open();
			const device = await rig.device({ partitions: PARTITIONS });
			await rig.publish("1.1.0", { entry });
			const code = entry === "never-healthy" ? "boot-unconfirmed" : "boot-crashed";
			const running = await device.start({ maxWallSeconds: 170 });
			await running.waitForLine(`update 1.1.0 rolled back: ${code}`);
			await rig.waitForEvent(device, { type: "boot_failed", code });
			await running.waitForLine("release-known-bad: 1.1.0");
			await running.waitForLine("idle, running 1.0.0 in factory");
			await running.stop();
			expect(await device.boots()).toMatchObject({ slot: "factory", version: "1.0.0" });
		},
	);

	test.each([
		{ rollbackTo: "previous" as const, slot: "ota_0", version: "1.1.0" },
		{ rollbackTo: "factory" as const, slot: "factory", version: "1.0.0" },
	])("set to go back to $rollbackTo goes to $slot when it is ordered, and updates again", async (row) => {
		const rig = await Rig.open();
		const { rollbackTo } = row;
		const device = await rig.device({ partitions: PARTITIONS, settings: { rollbackTo } });
		const running = await device.start({ maxWallSeconds: 200 });
		await rig.publish("1.1.0");
		await running.waitForLine("update 1.1.0 confirmed");
		await rig.publish("1.2.0");
		await running.waitForLine("update 1.2.0 confirmed");
		expect(await device.boots()).toMatchObject({ slot: "ota_1", version: "1.2.0" });
		await rig.client.orderRollback(device.identity.deviceId, "too slow");
		await running.waitForLine("update 1.2.0 rolled back: rollback-requested");
		expect(await device.boots()).toMatchObject({ slot: row.slot, version: row.version });
		await rig.publish("1.3.0");
		await running.waitForLine("update 1.3.0 confirmed");
		await running.stop();
		expect(await device.boots()).toMatchObject({ state: "valid", version: "1.3.0" });
	});
});
