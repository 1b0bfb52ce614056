// A device that cannot use its identity: it says so and does nothing else; a new firmware on trial is left for the old
// one, for it could neither be confirmed nor give itself up in the usual way.
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { buildIdentityPartition, partitionBytes } from "../../cli/image/flash-image.js";
import {
	encodeIdentity,
	encodeIdentityRecord,
	IDENTITY_PARTITION,
	type Identity,
} from "../../src/protocol/identity.js";
import { Rig, type TestDevice } from "../support/rig.js";

/** Virtual time in which a device has said several times what it lacks. */
const A_WHILE_SECONDS = 60;

async function writeIdentity(device: TestDevice, bytes: Uint8Array): Promise<void> {
	const flash = Uint8Array.from(await device.readFlash());
	partitionBytes(flash, IDENTITY_PARTITION).fill(0xff).set(bytes);
	await writeFile(device.flash, flash);
}

const BROKEN: readonly { title: string; says: string; bytes: (identity: Identity) => Uint8Array }[] = [
	{ title: "is gone", says: "no identity", bytes: () => new Uint8Array() },
	{
		title: "has a bit turned",
		says: "no identity",
		bytes: (identity) => {
			const bytes = buildIdentityPartition(identity);
			bytes[100] = (bytes[100] ?? 0) ^ 1;
			return bytes;
		},
	},
	{
		title: "is whole but says what this firmware does not know",
		says: "no identity",
		bytes: (identity) => {
			const document = Buffer.from(
				Buffer.from(encodeIdentity(identity)).toString().replace("16384", "16385"),
			);
			return encodeIdentityRecord({ sequence: 1, document });
		},
	},
];

const runAWhile = { args: ["--max-seconds", `${A_WHILE_SECONDS}`] };

describe("a device whose identity", { timeout: 240_000 }, () => {
	test.each(BROKEN)("$title on a trial boot goes back to the old firmware", async ({ says, bytes }) => {
		const rig = await Rig.open();
		const device = await rig.device();
		await rig.publish("1.1.0");
		await device.run({ until: ["restarting"] });
		await writeIdentity(device, bytes(device.identity));
		const broken = await device.run(runAWhile);
		expect(broken.log).toContain(`cannot start: ${says}`);
		expect(broken.stats).toMatchObject({ end: "stuck", boots: 2, slot: "ota_0" });
		expect(await device.boots()).toMatchObject({ slot: "ota_0", version: "1.0.0" });

		await writeIdentity(device, buildIdentityPartition(device.identity));
		const running = await device.start();
		await running.waitForLine("update 1.1.0 rolled back: boot-unconfirmed");
		const { details } = await rig.waitForEvent(device, { type: "boot_failed", code: "boot-unconfirmed" });
		expect(details).toMatchObject({ version: "1.0.0", target_version: "1.1.0" });
		await running.waitForLine("release-known-bad: 1.1.0");
	});

	test.each(BROKEN)(
		"$title otherwise says so, restarts nothing, and starts once it is mended",
		async (row) => {
			const rig = await Rig.open();
			const device = await rig.device();
			await writeIdentity(device, row.bytes(device.identity));
			const broken = await device.run(runAWhile);
			expect(
				broken.lines.filter((line) => line.includes(`cannot start: ${row.says}`)).length,
			).toBeGreaterThan(3);
			expect(broken.stats).toMatchObject({ end: "stuck", boots: 1, flash: { blockErases: 0, nvsWrites: 0 } });
			await writeIdentity(device, buildIdentityPartition(device.identity));
			expect((await device.run({ until: ["idle, running 1.0.0"] })).stats?.end).toBe("until");
		},
	);
});
