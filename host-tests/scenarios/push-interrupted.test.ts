// Scenario 7, the worse half: a push that somebody altered on its way and that power then cut. Nobody has vouched for the
// bytes it leaves, so the download of the same release, from the server, must not build on them.
import { describe, expect, test } from "vitest";
import { askDevice, pushImage } from "../../cli/device/push-client.js";
import { Rig } from "../support/rig.js";

/** No poll comes before the cut. */
const QUIET = { pollSeconds: 86_400 };

describe("a push altered on the way and cut by power", { timeout: 240_000 }, () => {
	test.each(["900:half", "700:before"])(
		"(%s) is followed by a download of the same release that finds no fault",
		async (cut) => {
			const rig = await Rig.open();
			const device = await rig.device({ settings: QUIET });
			const release = await rig.makeRelease("1.1.0");
			const image = release.image.map((byte, at) => (at > 20_000 && at % 4096 === 7 ? byte ^ 1 : byte));
			const process = await device.start({ args: ["--cut", cut] });
			const line = await process.waitForLine("sim: tcp 3232 is ");
			await process.waitForLine("state CHECKING_MANIFEST");
			const address = { host: "127.0.0.1", port: Number(line.split(":").at(-1)) };
			const { challenge } = await askDevice(address);
			const { deviceKey } = device.identity;
			const push = pushImage(address, { image, release: release.jws, deviceKey, challenge });
			await expect(push).rejects.toThrow("no answer");
			await process.waitForLine("start: poweron", { from: 1 });

			await rig.client.publish({ image: release.image, release: release.jws });
			await process.waitForLine("update 1.1.0 confirmed");
			await rig.waitForEvent(device, { type: "fota_completed" });
			const { stats, log } = await process.stop();
			expect(log).toMatch(/push \d\d % /);
			expect(log).not.toContain("hash-mismatch");
			expect(log).not.toContain("download goes on");
			expect(stats?.flash.ruleBreaks).toBe(0);
			expect(stats).toMatchObject({ boots: 3, resets: [{ reason: "POWERON" }, { reason: "SW" }] });
			expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });
		},
	);
});
