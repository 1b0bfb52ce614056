// `fota push` as a person uses it: a device in the simulator, and what is said when it goes wrong.
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeDeviceFile, readDeviceFile } from "../../cli/device/device-file.js";
import { buildIdentityPartition } from "../../cli/image/flash-image.js";
import { type Release, Rig, type TestDevice } from "../support/rig.js";
import { runFota } from "../support/run-fota.js";

async function started(): Promise<{ rig: Rig; device: TestDevice; host: string; file: string }> {
	const rig = await Rig.open();
	const device = await rig.device({ settings: { pollSeconds: 604_800 } });
	const process = await device.start();
	const line = await process.waitForLine("sim: tcp 3232 is ");
	const file = join(rig.folder, "device.json");
	await writeFile(file, encodeDeviceFile(device.identity));
	return { rig, device, host: line.split(" is ").at(-1) ?? "", file };
}

async function written(rig: Rig, release: Release): Promise<string> {
	const path = join(rig.folder, `${release.hash.slice(0, 8)}.bin`);
	await writeFile(path, release.image);
	await writeFile(`${path}.release`, release.jws);
	return path;
}

describe("fota push", { timeout: 240_000 }, () => {
	test("shows whom it talks to, sends, and waits until the new firmware is confirmed", async () => {
		const { rig, device, host } = await started();
		const image = await written(rig, await rig.makeRelease("1.1.0"));
		// The flash of a simulated board is a file of its device, too.
		const pushed = await runFota([
			"push",
			"--host",
			host,
			"--image",
			image,
			"--device",
			device.flash,
			"--wait",
		]);
		expect(pushed).toMatchObject({ code: 0 });
		expect(pushed.out).toMatch(/device device-1\n[\s\S]*version +1\.0\.0 in ota_0\n/);
		expect(pushed.out).toContain("1.1.0 is verified and activated; device-1 restarts in 3 s");
		expect(pushed.out).toContain("device-1 runs 1.1.0, confirmed");
		expect(pushed.error).toContain("100 %");
		const again = await runFota(["push", "--host", host, "--image", image, "--device", device.flash]);
		expect(again.code).toBe(2);
		expect(again.error).toMatch(/version-not-newer[\s\S]*Raise the version/);
	});

	test("says that a firmware failed its trial, and ends with 2", async () => {
		const { rig, host, file } = await started();
		const image = await written(rig, await rig.makeRelease("1.1.0", { entry: "crashes-at-boot" }));
		const pushed = await runFota([
			"push",
			"--host",
			host,
			"--image",
			image,
			"--device",
			file,
			"--wait",
			"--wait-seconds",
			"60",
		]);
		expect(pushed.code).toBe(2);
		expect(pushed.error).toContain("device-1 went back to 1.0.0: 1.1.0 failed its trial");
	});

	test("vouches for the new firmware of a device whose server is away, which tells it later", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy();
		let isAway = true;
		proxy.meddle = () => (isAway ? "close" : undefined);
		const device = await rig.device({ port: proxy.port });
		// On a clock of its own the device would see its deadline before anybody could vouch.
		const process = await device.start({ isFast: false });
		const host = (await process.waitForLine("sim: tcp 3232 is ")).split(" is ").at(-1) ?? "";
		const image = await written(rig, await rig.makeRelease("1.1.0"));
		const args = ["push", "--host", host, "--image", image, "--device", device.flash, "--confirm"];
		const pushed = await runFota(args);
		expect(pushed).toMatchObject({ code: 0 });
		expect(pushed.out).toMatch(/is told to keep 1\.1\.0;[\s\S]*device-1 runs 1\.1\.0, confirmed/);
		isAway = false;
		await rig.waitForEvent(device, { type: "fota_completed" });
		expect((await process.stop()).stats).toMatchObject({ boots: 2 });
	});

	test("refuses before a byte is sent what cannot fit, and says what to do", async () => {
		const { rig, host, file } = await started();
		const good = await written(rig, await rig.makeRelease("1.1.0"));
		const chip = await written(rig, await rig.makeRelease("1.1.0", { chip: "esp32c3" }));
		const type = await written(rig, await rig.makeRelease("1.1.1", { deviceType: "pump" }));
		const other = join(rig.folder, "other.json");
		const deviceKey = new Uint8Array(32).fill(9);
		await writeFile(other, encodeDeviceFile({ deviceId: "device-9", deviceType: "sensor", deviceKey }));
		const wrong = join(rig.folder, "wrong.json");
		await writeFile(wrong, encodeDeviceFile({ deviceId: "device-1", deviceType: "sensor", deviceKey }));
		for (const [image, device, code, wanted] of [
			[chip, file, 1, /for esp32c3, the device is an esp32\n.*--chip esp32/],
			[type, file, 1, /for pump, the device is a sensor\n.*--device-type sensor/],
			[good, other, 1, /this is device-1, the key is that of device-9/],
			[good, wrong, 2, /401 auth-failed[\s\S]*not this device's/],
			[good, good, 1, /holds no device's key/],
			["none.bin", file, 1, /none\.bin cannot be read/],
		] as const) {
			const outcome = await runFota(["push", "--host", host, "--image", image, "--device", device]);
			expect(outcome.error).toMatch(wanted);
			expect(outcome.code).toBe(code);
			expect(outcome.out + outcome.error).not.toContain("0909");
		}
		const away = await runFota(["push", "--host", "127.0.0.1:9", "--image", good, "--device", file]);
		expect(away.code).toBe(3);
		expect(away.error).toContain("no answer from the device at 127.0.0.1:9");
		const nowhere = await runFota(["push", "--host", "a b", "--image", good, "--device", file]);
		expect(nowhere.code).toBe(1);
	});

	test("takes the key from what provision wrote", async () => {
		const rig = await Rig.open();
		const { identity } = await rig.device();
		const partition = join(rig.folder, "id.bin");
		await writeFile(partition, buildIdentityPartition(identity));
		expect(await readDeviceFile(partition)).toMatchObject({
			deviceId: "device-1",
			deviceKey: new Uint8Array(identity.deviceKey),
		});
		const file = join(rig.folder, "lamp.json");
		const keys = join(rig.folder, "keys");
		await runFota(["keygen", "--out", keys]);
		const made = await runFota([
			...[
				"provision",
				"--device-id",
				"lamp",
				"--device-type",
				"lamp",
				"--release-key",
				join(keys, "release.pub"),
			],
			...["--host", "127.0.0.1", "--port", "80", "--identity-only", "--out", join(rig.folder, "lamp.bin")],
			...["--device-file", file, "--server", `http://127.0.0.1:${rig.port}`, "--token", rig.app.adminToken],
		]);
		expect(made).toMatchObject({ code: 0 });
		expect((await stat(file)).mode & 0o777).toBe(0o600);
		expect(await readDeviceFile(file)).toEqual({
			deviceId: "lamp",
			deviceKey: (await readDeviceFile(join(rig.folder, "lamp.bin"))).deviceKey,
		});
	});
});
