// What every StateStore does, whatever it stands on. Called by the tests of each implementation.

import { describe, expect, it } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { StateStore } from "../../src/update/ports.js";

export interface StateStoreRig {
	readonly store: StateStore;
	/** A store on the same storage, as after a restart. */
	reopen(): StateStore;
	/** Longest text that must be taken, in characters. */
	readonly maxChars: number;
}

export function describeStateStore(name: string, open: () => StateStoreRig): void {
	describe(`${name} as a StateStore`, () => {
		it("is empty at first", () => {
			expect(open().store.read()).toBeUndefined();
		});

		it("gives back what was written, as a whole, also after a restart", () => {
			const rig = open();
			rig.store.write('{"phase":"staging"}');
			expect(rig.store.read()).toBe('{"phase":"staging"}');
			expect(rig.reopen().read()).toBe('{"phase":"staging"}');
		});

		it("replaces a longer text by a shorter one", () => {
			const rig = open();
			rig.store.write("a".repeat(400));
			rig.store.write("b");
			expect(rig.reopen().read()).toBe("b");
		});

		it("keeps characters beyond ASCII", () => {
			const rig = open();
			rig.store.write("Grüße – 中文 😀");
			expect(rig.reopen().read()).toBe("Grüße – 中文 😀");
		});

		it("takes a text of the length it states, and refuses a longer one, keeping the old", () => {
			const rig = open();
			const longest = "x".repeat(rig.maxChars);
			rig.store.write(longest);
			expect(rig.reopen().read()).toBe(longest);
			expect(codeOf(() => rig.store.write(`${longest}y`))).toBe("storage-failed");
			expect(rig.reopen().read()).toBe(longest);
		});
	});
}

function codeOf(call: () => void): string | undefined {
	try {
		call();
	} catch (error) {
		return error instanceof FotaError ? error.code : "not a FotaError";
	}
	return undefined;
}
