// The server has moved, and a device in the field is told by cable: it asks the new one, with the key it had. And what a
// loss of power leaves of such a change is something that the firmware starts from.
import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { changeIdentity, findIdentityPlace, readIdentity } from "../../cli/device/identity-flash.js";
import { utf8Decode, utf8Encode } from "../../src/protocol/encoding.js";
import { NorSectors } from "../fakes/nor-sectors.js";
import { type CutMode, Power, PowerCut } from "../fakes/power.js";
import { Rig, type TestDevice } from "../support/rig.js";
import { runFota } from "../support/run-fota.js";

/** Nobody listens there. */
const OLD_PORT = 9;

describe("a changed setting", { timeout: 240_000 }, () => {
	test("makes a device ask the server that has moved, and update itself from there", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ port: OLD_PORT, surroundings: { push: false } });
		const before = await device.start();
		await before.waitForLine("network-unavailable");
		const locked = await runFota(["settings", "--image", device.flash, "--set", `port=${rig.port}`]);
		expect(locked.error).toContain("a simulated device is running on");
		await device.stop();

		const change = ["--set", `server=localhost:${rig.port}`, "push=yes", "hostname=boiler"];
		const changed = await runFota(["settings", "--image", device.flash, ...change]);
		expect(changed).toMatchObject({ code: 0 });
		await rig.publish("1.1.0");
		const process = await device.start({ args: ["--resolve", "localhost=127.0.0.1"] });
		await process.waitForLine("sim: tcp 3232 is ");
		await process.waitForLine("update 1.1.0 confirmed");
		expect(await rig.status(device)).toMatchObject({ version: "1.1.0" });
		const { log, stats } = await process.stop();
		expect(log).toContain("boiler");
		expect(stats?.flash.ruleBreaks).toBe(0);
	});

	// The seeds tear the new record where it has bytes.
	test.each<[number, CutMode, number]>([
		[1, "half", 2],
		[1, "scattered", 2],
		[2, "half", 2],
		[2, "scattered", 1],
		[2, "scattered", 18],
	])(
		"that power cuts at operation %i (%s, seed %i) leaves a device that polls as before",
		async (at, mode, seed) => {
			const rig = await Rig.open();
			const device = await rig.device();
			await cutChange(device, { at, mode, seed });
			const process = await device.start();
			await process.waitForLine("state CHECKING_MANIFEST");
			await process.waitForLine("idle, running 1.0.0");
			expect(await rig.status(device)).toMatchObject({ version: "1.0.0" });
		},
	);
});

/** As over a cable: the flash file is what the cut leaves. */
async function cutChange(
	device: TestDevice,
	cut: { at: number; mode: CutMode; seed: number },
): Promise<void> {
	const power = new Power();
	power.seed = cut.seed;
	power.cuts = [cut];
	const flash = new NorSectors(new Uint8Array(await readFile(device.flash)), power);
	const place = await findIdentityPlace(flash);
	const found = await readIdentity(place, () => {});
	const text = utf8Decode(found.document)?.replace(/"port":\d+/, `"port":${OLD_PORT}`) ?? "";
	await expect(changeIdentity(place, found, utf8Encode(text))).rejects.toThrow(PowerCut);
	await writeFile(device.flash, flash.bytes);
}
