// What the bootloader makes of boot records in every state, whole and torn: the table found on a real bootloader, and
// what its source says about the rest. Each row is a flash file made by hand, booted once by the real simulator, with
// the trial counter's constructor at work.
import { afterAll, describe, expect, test } from "vitest";
import { buildEspImage } from "../../cli/image/esp-image-builder.js";
import { partitionBytes } from "../../cli/image/flash-image.js";
import { makeRecord, putRecords, readRecord, STATE } from "../native/boot-record.js";
import { ModuleDevice, makeFlash, PARTITIONS } from "../native/xs-device.js";
import { BOOT_ROWS, type ImageKind, OLD } from "./boot-record-rows.js";

const device = new ModuleDevice(`
	import { FotaFlash } from "native/fota-flash";
	export default function (print) {
		const flash = new FotaFlash();
		print(flash.label(flash.running()) + (flash.isOnTrial() ? " on trial" : ""));
	}
`);
afterAll(() => device.close());

const good = device.image;
const damaged = good.slice();
damaged[1000] = (damaged[1000] ?? 0) ^ 0x10;
const foreign = buildEspImage({
	chip: "esp32c3",
	version: "1.0.0",
	projectName: "native-test",
	payload: new Uint8Array(500),
});
const IMAGES: Readonly<Record<ImageKind, Uint8Array>> = { good, damaged, foreign };

function imagesOf(kinds: Readonly<Record<string, ImageKind>> = { ota_0: "good", ota_1: "good" }) {
	return Object.fromEntries(Object.entries(kinds).map(([slot, kind]) => [slot, IMAGES[kind]]));
}

describe("the bootloader, given", () => {
	test.each(BOOT_ROWS)("$title", async (row) => {
		const flash = makeFlash(imagesOf(row.images), row.partitions ?? PARTITIONS);
		putRecords(
			flash,
			row.records.map((record) => (record && "sequence" in record ? makeRecord(record) : record)),
		);
		device.flash = flash;
		const { lines } = await device.run();
		const after = device.flash;
		const found = [readRecord(after, 0), readRecord(after, 1)];
		expect(lines).toEqual([row.boots]);
		expect(found.map((record) => record?.state)).toEqual(row.states);
		if (row.counted) expect([found[1]?.boots, found[1]?.powerBoots]).toEqual(row.counted);
	});

	test.each([0, 1, 2])(
		"NEW with any one bit missing or risen, after %s starts, is never taken for confirmed",
		async (boots) => {
			for (let bit = 0; bit < 32; bit++) {
				const flash = makeFlash({ ota_0: good, ota_1: good });
				putRecords(flash, [makeRecord(OLD), makeRecord({ sequence: 2, state: 2 ** bit, boots })]);
				device.flash = flash;
				const { lines } = await device.run();
				expect(["ota_0", "ota_1 on trial"], `bit ${bit}: ${lines}`).toContain(lines[0]);
			}
		},
	);

	test("a partition table whose MD5 is wrong boots nothing", async () => {
		const flash = makeFlash({ ota_0: good });
		flash[0x8000 + 4] = (flash[0x8000 + 4] ?? 0) ^ 1;
		device.flash = flash;
		expect(await device.run("--boots", "1")).toMatchObject({ code: 4, lines: [] });
	});

	test("damaged images everywhere boot nothing", async () => {
		device.flash = makeFlash({ ota_0: damaged, ota_1: foreign });
		expect(await device.run("--boots", "1")).toMatchObject({ code: 4, lines: [] });
	});

	test("an image cut off at any of its parts is not booted", async () => {
		const flash = makeFlash({ ota_0: good, ota_1: good });
		putRecords(flash, [makeRecord(OLD), makeRecord({ sequence: 2, state: STATE.new })]);
		for (const length of [0, 23, 32, 300, good.length - 33, good.length - 1]) {
			const cut = flash.slice();
			partitionBytes(cut, "ota_1").fill(0xff, length);
			device.flash = cut;
			expect((await device.run()).lines, `cut to ${length} bytes`).toEqual(["ota_0"]);
		}
	});
});
