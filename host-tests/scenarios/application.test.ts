// A firmware with an application of its own (examples/sensor): updates do not stop its work, it may put them off, and it
// hears of them. Its longest pause is measured with a flash that takes its time, and printed.
import { describe, expect, test } from "vitest";
import { Rig } from "../support/rig.js";

const READ_EVERY_MS = 100;
/** The longest turn of the flash: a block of 64 KiB is erased (simulator/chip.h). */
const BLOCK_ERASE_MS = 150;

/** Pauses of the sensor in milliseconds, as it said them. */
function pausesOf(log: string): number[] {
	return [...log.matchAll(/longest pause (\d+) ms/g)].map((match) => Number(match[1]));
}

describe("an application", { timeout: 240_000 }, () => {
	test("goes on with its work while the device updates itself, and hears of it", async () => {
		const rig = await Rig.open();
		const { image } = await rig.makeRelease("1.0.0", { entry: "sensor" });
		const device = await rig.device({ image });
		await rig.publish("1.1.0", { entry: "sensor" });
		const result = await device.run({ args: ["--flash-timing"], until: ["update 1.1.0 confirmed"] });
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
		const longestMs = Math.max(...pausesOf(result.log));
		console.log(
			`longest pause of the sensor during the update: ${longestMs} ms between readings ${READ_EVERY_MS} ms apart`,
		);
		expect(pausesOf(result.log).length).toBeGreaterThan(2);
		expect(longestMs).toBeGreaterThan(READ_EVERY_MS);
		expect(longestMs).toBeLessThanOrEqual(READ_EVERY_MS + 2 * BLOCK_ERASE_MS);
		expect(result.log).toMatch(/sensor: the update is DOWNLOADING, 5\d %/);
		expect(result.log).toContain("sensor: the update is COMPLETED");
	});

	test("that is busy puts the download off until it is free", async () => {
		const rig = await Rig.open();
		const { image } = await rig.makeRelease("1.0.0", { entry: "busy-at-first" });
		const device = await rig.device({ image });
		await rig.publish("1.1.0");
		const result = await device.run({ until: ["update 1.1.0 confirmed"] });
		expect(result.log).toContain("update 1.1.0 waits: the application is busy");
		const startedMs = Number(/\((\d+)\) fota: state DOWNLOADING/.exec(result.log)?.[1]);
		expect(startedMs).toBeGreaterThan(60_000);
		expect(startedMs).toBeLessThan(100_000);
	});
});
