// Scenario 7: firmware pushed over the local network, to the firmware on XS, with good and bad credentials and senders.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { askDevice } from "../../cli/device/push-client.js";
import { Rig } from "../support/rig.js";
import { addressOf, dial, headFor, outcome, push, QUIET, say, started, stillFine } from "./push-rig.js";

/** Of each line that says how far a push is; at which figures depends on the size of the image. */
const PROGRESS = " % (";

describe("a push over the local network", { timeout: 240_000 }, () => {
	test("with the device's key becomes its firmware, confirmed by a report to the server", async () => {
		const running = await started();
		const { rig, device, process } = running;
		const release = await rig.makeRelease("1.1.0");
		const result = await push(running, release);
		expect(result).toEqual({ version: "1.1.0", hash: release.hash, restartSeconds: 3 });
		await process.waitForLine("update 1.1.0 confirmed");
		await rig.waitForEvent(device, { type: "fota_completed" });
		const { stats, log } = await process.stop();
		expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });
		expect(stats).toMatchObject({ boots: 2, resets: [{ reason: "SW" }] });
		expect(stats?.flash.ruleBreaks).toBe(0);
		expect(log).toMatch(/push 100 %/);
		expect(await rig.events(device, "security")).toEqual([]);
		expect(await rig.status(device)).toMatchObject({ version: "1.1.0", slot: "ota_1" });
	});

	test("fits into two thirds of the heaps and of the stack that a firmware has, which do not grow", async () => {
		const heaps = ["--heap-slots", "3285", "--heap-chunks", "52565", "--stack", "512"];
		const running = await started({ args: heaps });
		expect(await outcome(push(running, await running.rig.makeRelease("1.1.0")))).toBe("taken");
		await running.process.waitForLine("update 1.1.0 confirmed");
		const { stats } = await running.process.stop();
		expect(stats).toMatchObject({ boots: 2 });
	});

	test("is asked for what the device is, before and after", async () => {
		const running = await started();
		await expect.poll(async () => (await askDevice(running.address)).state).toBe("IDLE");
		const before = await askDevice(running.address);
		expect(before).toMatchObject({
			deviceId: running.device.identity.deviceId,
			deviceType: "sensor",
			chip: "esp32",
			version: "1.0.0",
			running: "ota_0",
			boot: "ota_0",
			warning: undefined,
			isOnTrial: false,
			state: "IDLE",
			progress: undefined,
		});
		expect(before.slots.map(({ label, version }) => `${label} ${version}`)).toEqual([
			"ota_0 1.0.0",
			"ota_1 undefined",
		]);
		expect((await askDevice(running.address)).challenge).not.toBe(before.challenge);
		await push(running, await running.rig.makeRelease("1.1.0"));
		expect(await askDevice(running.address)).toMatchObject({
			state: "REBOOTING",
			boot: "ota_1",
			warning: "restarts into ota_1",
		});
		await running.process.waitForLine("update 1.1.0 confirmed");
		expect(await askDevice(running.address)).toMatchObject({
			version: "1.1.0",
			running: "ota_1",
			boot: "ota_1",
		});
	});

	test("with another key is refused later and later, told to the server, and does not keep the owner out", async () => {
		const running = await started();
		const release = await running.rig.makeRelease("1.1.0");
		const tookMs: number[] = [];
		for (let attempt = 0; attempt < 3; attempt++) {
			const startMs = Date.now();
			expect(await outcome(push(running, release, { key: new Uint8Array(32).fill(9) }))).toBe("auth-failed");
			tookMs.push(Date.now() - startMs);
		}
		expect(tookMs[2]).toBeGreaterThan(1500);
		await running.rig.waitForEvent(running.device, { log: "security", code: "auth-failed" });
		// Two that wait for their refusal hold no place against a third.
		const waiting = [1, 2].map(() =>
			push(running, release, { key: new Uint8Array(32).fill(9) }).catch(() => "gone"),
		);
		await sleep(300);
		expect(await outcome(push(running, release))).toBe("taken");
		await Promise.all(waiting);
		await running.process.waitForLine("update 1.1.0 confirmed");
		const { log } = await running.process.stop();
		expect(log.match(/SECURITY auth-failed/g)?.length).toBeLessThanOrEqual(2);
	});

	test("that is replayed is refused, and its release stays out of the flash", async () => {
		const running = await started();
		const release = await running.rig.makeRelease("1.1.0", { chip: "esp32s3" });
		const head = await headFor(running, release);
		expect(await say(running.address, head)).toContain("chip-mismatch");
		expect(await say(running.address, head)).toContain("challenge-stale");
		await running.rig.waitForEvent(running.device, { log: "security", code: "challenge-stale" });
		await stillFine(running);
	});

	test.each([
		["for another chip", { chip: "esp32s3" as const }, "chip-mismatch"],
		["for another type of device", { deviceType: "pump" }, "device-type-mismatch"],
		["of the running version", { version: "1.0.0" }, "version-not-newer"],
		["that lies about its hash", { claims: { hash: "0".repeat(64) } }, "hash-mismatch"],
	])(
		"%s is refused with the reason",
		async (_title, { version = "1.1.0", ...options }: { version?: string } & object, code) => {
			const running = await started();
			expect(await outcome(push(running, await running.rig.makeRelease(version, options)))).toBe(code);
			expect(await stillFine(running)).toContain(code);
			expect(await running.device.boots()).toMatchObject({ version: "1.0.0" });
		},
	);

	test("with a body altered on the way is never activated, and a good one is taken afterwards", async () => {
		const running = await started();
		const release = await running.rig.makeRelease("1.1.0");
		const image = release.image.slice();
		image[image.length >> 1] = (image[image.length >> 1] ?? 0) ^ 1;
		expect(await outcome(push(running, release, { image }))).toBe("hash-mismatch");
		expect(await outcome(push(running, release))).toBe("taken");
		await running.process.waitForLine("update 1.1.0 confirmed");
	});

	test("that breaks off leaves the device to its polls and to the next push", async () => {
		const running = await started();
		const release = await running.rig.makeRelease("1.1.0");
		const socket = await dial(running.address);
		socket.write(await headFor(running, release), "latin1");
		socket.write(release.image.subarray(0, 150_000));
		await running.process.waitForLine(PROGRESS);
		socket.destroy();
		await running.process.waitForLine("push-aborted");
		await running.process.waitForLine("state IDLE", { from: running.process.lineCount });
		await running.rig.publish("1.2.0");
		await running.process.waitForLine("update 1.2.0 confirmed");
	});

	test("whose sender stalls is given up with an answer", async () => {
		const running = await started();
		const release = await running.rig.makeRelease("1.1.0");
		const head = await headFor(running, release);
		const text = head + Buffer.from(release.image.subarray(0, 100_000)).toString("latin1");
		expect(await say(running.address, text)).toMatch(/^HTTP\/1.1 408 [\s\S]*push-aborted/);
		await stillFine(running);
	});

	test("keeps another one out, and is kept out by a download", async () => {
		const running = await started();
		const [release, other] = [await running.rig.makeRelease("1.1.0"), await running.rig.makeRelease("1.2.0")];
		const first = await dial(running.address);
		first.write(await headFor(running, release), "latin1");
		first.write(release.image.subarray(0, 100_000));
		await running.process.waitForLine(PROGRESS);
		expect(await outcome(push(running, other))).toBe("device-busy");
		first.write(release.image.subarray(100_000));
		await running.process.waitForLine("update 1.1.0 confirmed");
	});

	test("is refused while a download is under way", async () => {
		const settings = { pollSeconds: 10, chunkBytes: 4096, chunksPerInterval: 1, intervalMs: 3000 };
		const running = await started({ isFast: false }, settings);
		await running.rig.publish("1.1.0");
		await running.process.waitForLine("state DOWNLOADING");
		const other = await running.rig.makeRelease("1.2.0");
		expect(await outcome(push(running, other))).toBe("device-busy");
		expect(await askDevice(running.address)).toMatchObject({
			state: "DOWNLOADING",
			progress: { version: "1.1.0" },
		});
		await stillFine(running);
	});

	test("is refused while the new firmware is on trial", async () => {
		const running = await started({ isFast: false });
		const next = await running.rig.makeRelease("1.2.0");
		await push(running, await running.rig.makeRelease("1.1.0"));
		await running.process.waitForLine("state BOOT_VERIFICATION");
		await expect.poll(() => outcome(push(running, next)).catch(() => "not yet")).toBe("device-busy");
	});

	test("cut by power in the middle is taken anew from the cloud, and another push is taken whole", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ settings: QUIET });
		const process = await device.start({ args: ["--cut", "900:half"] });
		const running = { rig, device, process, address: await addressOf(process) };
		const release = await rig.makeRelease("1.1.0");
		await expect(push(running, release)).rejects.toThrow("no answer");
		await process.waitForLine("start: poweron", { from: 1 });
		await rig.client.publish({ image: release.image, release: release.jws });
		await process.waitForLine("update 1.1.0 confirmed");
		expect(await outcome(push(running, await rig.makeRelease("1.2.0")))).toBe("taken");
		await process.waitForLine("update 1.2.0 confirmed");
	});
});
