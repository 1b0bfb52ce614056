// Scenarios 4 and 6: a new firmware that crashes, hangs, fills its memory, loses the network or is never confirmed. The
// device comes back by itself, says why, and does not install that release again.
import { describe, expect, test } from "vitest";
import { STATUS_PATH } from "../../src/protocol/status-report.js";
import { type Entry, Rig, type TestDevice } from "../support/rig.js";

const OLD = { slot: "ota_0", state: "valid", version: "1.0.0" };

/** After the rollback: reported with its reason, on the old firmware, and two polls later still there. */
async function expectRollback(
	rig: Rig,
	device: TestDevice,
	run: { code: string; args?: string[] },
): Promise<void> {
	const { code } = run;
	const running = await device.start({ args: run.args ?? [], maxWallSeconds: 170 });
	await running.waitForLine(`update 1.1.0 rolled back: ${code}`);
	const failed = await rig.waitForEvent(device, { type: "boot_failed", code });
	expect(failed.details).toMatchObject({ version: "1.0.0", target_version: "1.1.0" });
	await rig.waitForEvent(device, { log: "security", type: "rollback_triggered" });
	await running.waitForLine("release-known-bad: 1.1.0");
	for (let poll = 0, from = running.lineCount; poll < 2; poll++, from = running.lineCount)
		await running.waitForLine("state CHECKING_MANIFEST", { from });
	const { lines } = await running.stop();
	expect(lines.filter((line) => line.includes("state DOWNLOADING 1.1.0"))).toHaveLength(1);
	expect(await device.boots()).toMatchObject({ slot: OLD.slot, version: OLD.version });
	expect(await rig.status(device)).toMatchObject({ version: "1.0.0", slot: "ota_0" });
}

describe("a new firmware", { timeout: 300_000 }, () => {
	test.each<{ title: string; entry: Entry; args?: string[] }>([
		{ title: "crashes at boot", entry: "crashes-at-boot" },
		{ title: "hangs at boot", entry: "hangs", args: ["--watchdog-ms", "1500"] },
		{ title: "aborts five seconds after boot", entry: "aborts-after-five-seconds" },
		{
			title: "fills its memory",
			entry: "fills-memory",
			args: ["--heap-slots", "60000", "--heap-chunks", "600000"],
		},
	])("that $title is given three boots, then the old one runs again", async ({ entry, args }) => {
		const rig = await Rig.open();
		const device = await rig.device();
		await rig.publish("1.1.0", { entry });
		await expectRollback(rig, device, { code: "boot-crashed", ...(args ? { args } : {}) });
	});

	test("whose reports the server does not take is given up at the deadline", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy((exchange) => {
			const isNew = exchange.requestBody.includes('"version":"1.1.0"');
			return exchange.target === STATUS_PATH && isNew ? "close" : undefined;
		});
		const device = await rig.device({ port: proxy.port });
		await rig.publish("1.1.0");
		await expectRollback(rig, device, { code: "boot-unconfirmed" });
	});

	test("whose own checks do not pass is given up at the deadline, and they are named", async () => {
		const rig = await Rig.open();
		const device = await rig.device();
		await rig.publish("1.1.0", { entry: "never-healthy" });
		await expectRollback(rig, device, { code: "boot-unconfirmed" });
		const { details } = await rig.waitForEvent(device, { type: "boot_failed", code: "boot-unconfirmed" });
		expect(details.error).toContain("unhealthy: sensor, display");
	});

	test("that loses the network is given up at the deadline, without it", async () => {
		const rig = await Rig.open();
		const device = await rig.device();
		await rig.publish("1.1.0");
		await device.run({ until: ["restarting"] });
		const args = ["--network-down", "0-100000"];
		const offline = await device.run({ args, until: ["update 1.1.0 rolled back: boot-unconfirmed"] });
		expect(offline.stats).toMatchObject({ end: "until", slot: "ota_0" });
		expect(await device.boots()).toMatchObject({ slot: "ota_0", version: "1.0.0" });
		const online = await device.start();
		const { details } = await rig.waitForEvent(device, { type: "boot_failed", code: "boot-unconfirmed" });
		expect(details.error).toContain("no report was accepted");
		await online.waitForLine("release-known-bad: 1.1.0");
	});

	test("is installed again once the operator has signed it anew", async () => {
		const rig = await Rig.open();
		const device = await rig.device();
		const releasedAt = 1_700_000_000;
		await rig.publish("1.1.0", { entry: "crashes-at-boot", releasedAt });
		const running = await device.start({ maxWallSeconds: 170 });
		await running.waitForLine("release-known-bad: 1.1.0");
		const from = running.lineCount;
		await rig.publish("1.1.0", { entry: "crashes-at-boot", releasedAt: releasedAt + 60 });
		await running.waitForLine("state DOWNLOADING 1.1.0", { from });
	});

	test("that loses power again and again while on trial is not given up for it", async () => {
		const rig = await Rig.open();
		const device = await rig.device();
		await rig.publish("1.1.0");
		await device.run({ until: ["restarting"] });
		for (let start = 0; start < 4; start++) await device.run({ until: ["state BOOT_VERIFICATION"] });
		const result = await device.run({ until: ["confirmed", "rolled back"] });
		expect(result.stats?.until).toBe("confirmed");
	});
});
