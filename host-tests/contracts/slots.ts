// What every Slots does, whatever it stands on. Called by the tests of each implementation.

import { describe, expect, it } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { Slots } from "../../src/update/ports.js";

export interface SlotsRig {
	/** Running a confirmed image of version 1.0.0 in ota_0; ota_1 is erased. Slots hold at least 16 sectors. */
	readonly slots: Slots;
	/** Of version 1.1.0: passes the chip's image check, and fits. */
	readonly image: Uint8Array;
	/** Power off and on: what the bootloader starts. */
	restart(): Slots;
}

const SECTOR_BYTES = 4096;

export function describeSlots(name: string, open: () => SlotsRig): void {
	describe(`${name} as Slots`, () => {
		it("names the running slot and the spare one", () => {
			const { slots } = open();
			expect(slots.running()).toMatchObject({ label: "ota_0", version: "1.0.0", trialBoots: 0 });
			expect(slots.spare()).toMatchObject({ label: "ota_1", version: undefined, state: "undefined" });
			expect(slots.spare().sizeBytes).toBeGreaterThanOrEqual(16 * SECTOR_BYTES);
			expect(slots.isOnTrial()).toBe(false);
			expect(slots.hasBootloaderRollback()).toBe(true);
			expect(slots.canRollBack()).toBe(false);
		});

		it("reads what was written, and knows which ranges are erased", () => {
			const { slots } = open();
			slots.prepare();
			slots.erase(0, 2 * SECTOR_BYTES);
			slots.write(SECTOR_BYTES, Uint8Array.of(9, 1, 2, 3), 1, 3);
			const read = new Uint8Array(6);
			slots.read(SECTOR_BYTES, read, 2, 4);
			expect([...read]).toEqual([0, 0, 1, 2, 3, 0xff]);
			expect(slots.isErased(0, SECTOR_BYTES)).toBe(true);
			expect(slots.isErased(SECTOR_BYTES, SECTOR_BYTES)).toBe(false);
			expect(slots.isErased(SECTOR_BYTES + 3, SECTOR_BYTES - 3)).toBe(true);
			slots.erase(SECTOR_BYTES, SECTOR_BYTES);
			expect(slots.isErased(0, 2 * SECTOR_BYTES)).toBe(true);
		});

		it("refuses to activate what is no image, and boots the old one", () => {
			const rig = open();
			rig.slots.prepare();
			rig.slots.erase(0, SECTOR_BYTES);
			expect(codeOf(() => rig.slots.verifyImage())).toBe("image-invalid");
			expect(codeOf(() => rig.slots.activate())).toBe("activate-failed");
			expect(rig.restart().running().label).toBe("ota_0");
		});

		it("puts an activated image on trial", () => {
			const { slots } = staged(open());
			expect(slots.running()).toMatchObject({ label: "ota_1", version: "1.1.0", trialBoots: 1 });
			expect(slots.isOnTrial()).toBe(true);
			expect(slots.trialBootsMax()).toBe(3);
			expect(slots.canRollBack()).toBe(true);
		});

		it("takes nothing of the way back while on trial", () => {
			const { slots } = staged(open());
			expect(codeOf(() => slots.prepare())).toBe("flash-failed");
			expect(codeOf(() => slots.erase(0, SECTOR_BYTES))).toBe("flash-failed");
			expect(codeOf(() => slots.write(0, Uint8Array.of(0), 0, 1))).toBe("flash-failed");
			expect(codeOf(() => slots.activate())).toBe("activate-failed");
			expect(slots.spare().version).toBe("1.0.0");
		});

		it("keeps a confirmed image over restarts", () => {
			const rig = staged(open());
			rig.slots.confirm();
			expect(rig.slots.isOnTrial()).toBe(false);
			for (let i = 0; i < 5; i += 1)
				expect(rig.restart().running()).toMatchObject({ label: "ota_1", state: "valid" });
		});

		it("returns to the former image when the trial boots are used up", () => {
			const rig = staged(open());
			expect(rig.restart().running()).toMatchObject({ label: "ota_1", trialBoots: 2 });
			expect(rig.restart().running()).toMatchObject({ label: "ota_1", trialBoots: 3 });
			const slots = rig.restart();
			expect(slots.running().label).toBe("ota_0");
			expect(slots.spare()).toMatchObject({ label: "ota_1", state: "aborted", trialBoots: 3 });
		});

		it("is refused a way back that does not exist", () => {
			expect(codeOf(() => open().slots.rollBack())).toBe("rollback-impossible");
		});
	});
}

/** The rig after stage, activate and restart. */
function staged(rig: SlotsRig): SlotsRig {
	const { slots, image } = rig;
	slots.prepare();
	slots.erase(0, Math.ceil(image.length / SECTOR_BYTES) * SECTOR_BYTES);
	slots.write(0, image, 0, image.length);
	expect(slots.verifyImage()).toBe(image.length);
	expect(slots.spare().version).toBe("1.1.0");
	slots.activate();
	expect(slots.spare().state).toBe("new");
	return { ...rig, slots: rig.restart() };
}

function codeOf(call: () => void): string | undefined {
	try {
		call();
	} catch (error) {
		return error instanceof FotaError ? error.code : `not a FotaError: ${error}`;
	}
	return undefined;
}
