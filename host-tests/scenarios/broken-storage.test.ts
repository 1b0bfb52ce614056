// A device whose key-value storage cannot be opened at its start erases it, says so, and updates itself all the same.
import { writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { partitionBytes } from "../../cli/image/flash-image.js";
import { crc32 } from "../../src/protocol/encoding.js";
import { Rig } from "../support/rig.js";

/** Header of a storage area of a format that nobody knows (simulator/esp-idf/nvs-log.c). */
function unknownFormat(): Uint8Array {
	const words = Uint32Array.of(0x53564e46, 7, 99);
	return new Uint8Array(Uint32Array.of(...words, crc32(new Uint8Array(words.buffer))).buffer);
}

test("storage of an unknown format is erased, told, and not in the way", { timeout: 240_000 }, async () => {
	const rig = await Rig.open();
	const device = await rig.device();
	await rig.publish("1.1.0");
	const flash = Uint8Array.from(await device.readFlash());
	partitionBytes(flash, "nvs").set(unknownFormat());
	await writeFile(device.flash, flash);
	const result = await device.run({ until: ["update 1.1.0 confirmed"] });
	expect(result.stats).toMatchObject({ end: "until", boots: 2 });
	expect(result.log.split("storage was unusable at the start and was erased")).toHaveLength(2);
	await rig.waitForEvent(device, { code: "storage-failed" });
});
