// Images are held against the parser that firmware and server use, and against the rules of the chip's loader.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { buildEspImage } from "../../../cli/image/esp-image-builder.js";
import { checkImage } from "../../../src/protocol/esp-image.js";
import { IMAGE_MAX_BYTES } from "../../../src/protocol/limits.js";
import { CHIPS } from "../../../src/protocol/release-statement.js";

const payload = new TextEncoder().encode("payload");
const base = { chip: "esp32", version: "1.2.3", projectName: "xs-fota", payload } as const;

describe("an image", () => {
	test.each(CHIPS)("for %s passes the image check and says what it is", (chip) => {
		const check = checkImage(buildEspImage({ ...base, chip, securityVersion: 4 }));
		expect(check).toMatchObject({ chip, version: "1.2.3", projectName: "xs-fota", secureVersion: 4 });
	});

	test("ends with the SHA-256 of everything before", () => {
		const image = buildEspImage(base);
		const { hashOffsetBytes } = checkImage(image);
		const hash = createHash("sha256").update(image.subarray(0, hashOffsetBytes)).digest();
		expect(Buffer.from(image.subarray(hashOffsetBytes))).toEqual(hash);
	});

	test.each([512, 4096, 40_960, 1040 * 1024])("is exactly as long as asked for: %i bytes", (sizeBytes) => {
		const image = buildEspImage({ ...base, sizeBytes });
		expect(image.length).toBe(sizeBytes);
		checkImage(image);
	});

	test("maps its first segment at the address whose place in a 64 KiB page is its place in the file", () => {
		for (const chip of CHIPS) {
			const view = new DataView(buildEspImage({ ...base, chip }).buffer);
			expect(view.getUint32(24, true) % 65_536).toBe(32);
		}
	});

	test("carries further segments", () => {
		const segments = [{ address: 0x3ffb_0000, data: new Uint8Array(12).fill(7) }];
		const image = buildEspImage({ ...base, segments, sizeBytes: 1024 });
		expect(image.length).toBe(1024);
		expect(checkImage(image).segmentCount).toBe(2);
	});

	test("is padded with noise, without rows of FF, and the same again", () => {
		const image = buildEspImage({ ...base, sizeBytes: 65_536 });
		expect(Buffer.from(image).indexOf(Buffer.alloc(4, 0xff))).toBeLessThan(APP_DESCRIPTION_END);
		expect(Buffer.compare(buildEspImage({ ...base, sizeBytes: 65_536 }), image)).toBe(0);
		expect(Buffer.compare(buildEspImage({ ...base, sizeBytes: 65_536, seed: 1 }), image)).not.toBe(0);
	});

	test("refuses a size that cannot hold the payload or is no multiple of 16", () => {
		expect(() => buildEspImage({ ...base, sizeBytes: 320 })).toThrow(RangeError);
		expect(() => buildEspImage({ ...base, sizeBytes: 4100 })).toThrow(RangeError);
	});

	test("is never longer than devices and server take", () => {
		checkImage(buildEspImage({ ...base, sizeBytes: IMAGE_MAX_BYTES }));
		const tooLong = /more than an image may have: 8388608/;
		for (const sizeBytes of [IMAGE_MAX_BYTES + 16, 2 ** 50])
			expect(() => buildEspImage({ ...base, sizeBytes })).toThrow(tooLong);
		const long = new Uint8Array(IMAGE_MAX_BYTES);
		expect(() => buildEspImage({ ...base, payload: long })).toThrow(tooLong);
		const segments = [{ address: 0x3ffb_0000, data: long.subarray(0, IMAGE_MAX_BYTES - 64) }];
		expect(() => buildEspImage({ ...base, segments })).toThrow(tooLong);
	});
});

const APP_DESCRIPTION_END = 288;
