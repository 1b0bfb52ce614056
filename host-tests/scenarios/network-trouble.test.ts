// Scenario 8: the server is away, slow, or answers by halves; Wi-Fi is gone for an hour. The device waits, asks again,
// and in the end updates itself; it restarts for it only after a day.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { CHUNK_PATH } from "../../src/protocol/chunk-frames.js";
import { MANIFEST_PATH } from "../../src/protocol/manifest.js";
import { Rig } from "../support/rig.js";

const ENDS_WELL = { end: "until", boots: 2 };

describe("a device whose", { timeout: 300_000 }, () => {
	test("server is away for a while asks less and less often, and updates when it is back", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy();
		let isAway = true;
		proxy.meddle = () => (isAway ? "close" : undefined);
		const device = await rig.device({ port: proxy.port });
		await rig.publish("1.1.0");
		const running = await device.start();
		for (let poll = 0, from = 0; poll < 4; poll++, from = running.lineCount)
			await running.waitForLine("network-unavailable", { from });
		isAway = false;
		await running.waitForLine("update 1.1.0 confirmed");
		expect((await running.stop()).stats?.boots).toBe(2);
	});

	test("server answers every question late", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy(async () => {
			await sleep(700);
			return undefined;
		});
		const device = await rig.device({ port: proxy.port });
		await rig.publish("1.1.0");
		const result = await device.run({ until: ["update 1.1.0 confirmed"] });
		expect(result.stats).toMatchObject(ENDS_WELL);
	});

	test("server stops in the middle of a manifest, and of a download, waits no longer than its limits", async () => {
		const rig = await Rig.open();
		const halved = new Set<string>();
		const proxy = await rig.proxy(({ target }) => {
			const path = [MANIFEST_PATH, CHUNK_PATH].find((prefix) => target.startsWith(prefix));
			if (path === undefined || halved.has(path)) return undefined;
			halved.add(path);
			return "half";
		});
		const device = await rig.device({ port: proxy.port });
		await rig.publish("1.1.0");
		// On a link with a speed of its own the device's limits pass in virtual time.
		const args = ["--link-rate", "100000", "--link-rtt", "20"];
		const until = ["update 1.1.0 confirmed"];
		const result = await device.run({ args, until });
		expect(result.stats).toMatchObject(ENDS_WELL);
		expect(result.log).toMatch(/network-timeout: [a-z-]+$/m);
		expect(result.log).toMatch(/network-timeout: .*\(at chunk /);
		await rig.waitForEvent(device, { code: "network-timeout" });
		await rig.waitForEvent(device, { code: "network-timeout", target: "1.1.0" });
		expect(halved.size).toBe(2);
	});

	test.each(["stall", "reset"])(
		"Wi-Fi is gone for an hour in the middle of a download (%s)",
		async (loss) => {
			const rig = await Rig.open();
			const device = await rig.device({
				settings: { chunkBytes: 4096, chunksPerInterval: 4, intervalMs: 5000 },
			});
			await rig.publish("1.1.0");
			const args = ["--network-down", "20-3620", "--network-loss", loss];
			const result = await device.run({ args, until: ["update 1.1.0 confirmed"] });
			expect(result.stats).toMatchObject(ENDS_WELL);
			expect(result.stats?.virtualMs).toBeGreaterThan(3_600_000);
			expect(result.log).toContain("network-");
		},
	);

	test("network is gone for more than a day restarts once, as its last resort, and says so when it is back", async () => {
		const rig = await Rig.open();
		// Each attempt costs the test real time.
		const device = await rig.device({ settings: { pollSeconds: 21_600 } });
		await rig.publish("1.1.0");
		const args = ["--network-down", "0-120000", "--max-seconds", "200000"];
		const result = await device.run({ args, until: ["update 1.1.0 confirmed"] });
		expect(result.stats).toMatchObject({ end: "until", boots: 3 });
		expect(result.log.split("no word from the server for 24 h: restarting")).toHaveLength(2);
		await rig.waitForEvent(device, { code: "network-unavailable" });
	});

	test.each([404, 429, 500, 503])("server answers %i asks again later", async (status) => {
		const rig = await Rig.open();
		let isBad = true;
		const proxy = await rig.proxy((exchange) => {
			if (!isBad) return undefined;
			exchange.status = status;
			exchange.headers["content-type"] = "text/html";
			exchange.body = Buffer.from("<html>no</html>");
			return undefined;
		});
		const device = await rig.device({ port: proxy.port });
		await rig.publish("1.1.0");
		const running = await device.start();
		for (let poll = 0, from = 0; poll < 3; poll++, from = running.lineCount)
			await running.waitForLine(`http-status: status ${status}`, { from });
		isBad = false;
		await running.waitForLine("update 1.1.0 confirmed");
		await rig.waitForEvent(device, { code: "http-status", version: "1.0.0" });
		expect((await running.stop()).stats?.boots).toBe(2);
	});
});
