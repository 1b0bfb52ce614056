// FlashSlots keeps the contract of Slots over the native face, and gives each refusal of ESP-IDF its code.

import { describe, expect, it } from "vitest";
import { FlashSlots } from "../../src/adapters/slots.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { Slots } from "../../src/update/ports.js";
import { describeContract } from "../contracts/on-node.js";
import { slotsContract } from "../contracts/slots.js";
import { FakeFlash } from "../fakes/fake-flash.js";

const IMAGE_BYTES = 8192;
const END_MARK = 0x5a;

/** The beginning of an image, as far as the version is concerned, and a mark at its end. */
function image(version: string): Uint8Array {
	const bytes = new Uint8Array(IMAGE_BYTES);
	const view = new DataView(bytes.buffer);
	bytes.set([0xe9, 1]);
	view.setUint32(28, IMAGE_BYTES - 32, true);
	view.setUint32(32, 0xabcd5432, true);
	bytes.set(new TextEncoder().encode(version), 48);
	bytes[IMAGE_BYTES - 1] = END_MARK;
	return bytes;
}

function open() {
	const imageLength = (bytes: Uint8Array) =>
		bytes[0] === 0xe9 && bytes[IMAGE_BYTES - 1] === END_MARK ? IMAGE_BYTES : undefined;
	const flash = new FakeFlash({ slotBytes: 16 * 4096, imageLength });
	const [running] = flash.slots;
	if (running === undefined) throw new Error("no slot");
	running.bytes.set(image("1.0.0"));
	running.state = 2;
	const slots = new FlashSlots({ flash, rollbackTo: "previous" });
	const restart = () => {
		flash.restart();
		return new FlashSlots({ flash, rollbackTo: "previous" });
	};
	return { flash, slots, restart, image: image("1.1.0") };
}

describeContract("FlashSlots over a fake flash", slotsContract, () => {
	const { slots, restart, image } = open();
	return { subject: { slots, image }, restart: () => ({ slots: restart(), image }) };
});

function thrown(call: () => unknown): unknown {
	try {
		call();
	} catch (error) {
		return error;
	}
	return undefined;
}

const codeOf = (call: () => unknown) => {
	const error = thrown(call);
	return error instanceof FotaError ? error.code : error;
};

describe("a refusal of ESP-IDF", () => {
	const calls: readonly (readonly [string, (slots: Slots) => unknown, string])[] = [
		["running", (slots) => slots.running(), "flash-failed"],
		["next", (slots) => slots.spare(), "flash-failed"],
		["prepare", (slots) => slots.prepare(), "flash-failed"],
		["erase", (slots) => slots.erase(0, 4096), "flash-failed"],
		["write", (slots) => slots.write(0, Uint8Array.of(1), 0, 1), "flash-failed"],
		["read", (slots) => slots.read(0, new Uint8Array(1), 0, 1), "flash-failed"],
		["isErased", (slots) => slots.isErased(0, 1), "flash-failed"],
		["verify", (slots) => slots.verifyImage(), "flash-failed"],
		["activate", (slots) => slots.activate(), "activate-failed"],
		["confirm", (slots) => slots.confirm(), "flash-failed"],
		["canRollBack", (slots) => slots.canRollBack(), "flash-failed"],
		["rollBack", (slots) => slots.rollBack(), "flash-failed"],
	];

	it.each(calls)("in %s has its code, and names what ESP-IDF said", (name, call, code) => {
		const { flash, slots } = open();
		flash.faults.set(name, new Error("ESP_ERR_FLASH_OP_FAIL"));
		const error = thrown(() => call(slots));
		expect(error).toBeInstanceOf(FotaError);
		expect((error as FotaError).code).toBe(code);
		expect((error as FotaError).message).toContain("ESP_ERR_FLASH_OP_FAIL");
	});

	it("of the image is the image's fault, of the way back the way's", () => {
		const { flash, slots } = open();
		flash.faults.set("verify", new Error("ESP_ERR_IMAGE_INVALID"));
		expect(codeOf(() => slots.verifyImage())).toBe("image-invalid");
		flash.faults.set("rollBack", new Error("ESP_ERR_OTA_ROLLBACK_FAILED"));
		expect(codeOf(() => slots.rollBack())).toBe("rollback-impossible");
	});

	it("is not what a mistake of ours is", () => {
		const { slots } = open();
		slots.prepare();
		expect(codeOf(() => slots.erase(1, 4096))).toBeInstanceOf(RangeError);
	});

	it("when there is no spare slot says so", () => {
		const { flash, slots } = open();
		flash.faults.set("next", new Error("ESP_ERR_NOT_FOUND"));
		expect(thrown(() => slots.spare())).toMatchObject({ message: "spare slot: ESP_ERR_NOT_FOUND" });
	});
});

describe("going back", () => {
	it.each([
		["previous", false],
		["factory", true],
	] as const)("prefers %s as it is set", (rollbackTo, expected) => {
		const { flash } = open();
		const asked: boolean[] = [];
		flash.rollBack = (preferFactory) => {
			asked.push(preferFactory);
		};
		new FlashSlots({ flash, rollbackTo }).rollBack();
		expect(asked).toEqual([expected]);
	});

	it("boots the former image and leaves the other one invalid", () => {
		const rig = open();
		rig.slots.prepare();
		rig.slots.write(0, rig.image, 0, rig.image.length);
		rig.slots.activate();
		rig.restart().rollBack();
		expect(rig.slots.running()).toMatchObject({ label: "ota_0", version: "1.0.0" });
		expect(rig.slots.spare()).toMatchObject({ label: "ota_1", state: "invalid" });
	});
});

describe("the version of a slot", () => {
	it("is unknown where the description is unreadable", () => {
		const rig = open();
		rig.slots.prepare();
		rig.slots.write(0, image("x".repeat(32)), 0, 4096);
		expect(rig.slots.spare().version).toBeUndefined();
	});

	it("is found though the rest of the image is missing", () => {
		const rig = open();
		rig.slots.prepare();
		rig.slots.write(0, rig.image, 0, 4096);
		expect(rig.slots.spare().version).toBe("1.1.0");
		expect(codeOf(() => rig.slots.verifyImage())).toBe("image-invalid");
	});
});
