// Where an update was when it failed, as the machine says it for the report.
import { describe, expect, it } from "vitest";
import { FotaError } from "../../src/protocol/error-codes.js";
import { step } from "../../src/update/machine.js";
import type { Event, State } from "../../src/update/states.js";

const RELEASE = {
	version: "1.1.0",
	hash: "a".repeat(64),
	sizeBytes: 40_000,
	securityVersion: 0,
	releasedAt: 1,
};
const FLASH = new FotaError("flash-failed", "m");
const FAILED: Event = { name: "failed", error: FLASH };

function downloading(nextChunk: number | undefined, isPushed = false): State {
	const offer = { release: RELEASE, chunkBytes: 4096, isPushed };
	return { name: "DOWNLOADING", offer, nextChunk, stallCount: 0, failureCount: 0 };
}

describe("a failure", () => {
	it.each<[string, State, Event, object | undefined]>([
		["before the slot is ready", downloading(undefined), FAILED, { stage: "DOWNLOADING", offsetBytes: 0 }],
		[
			"of the flash in the middle of an answer",
			downloading(4),
			{ name: "fetch-ended", nextChunk: 7, error: FLASH },
			{ stage: "DOWNLOADING", offsetBytes: 28_672 },
		],
		[
			"behind the last chunk, which is shorter",
			downloading(10),
			FAILED,
			{ stage: "DOWNLOADING", offsetBytes: 40_000 },
		],
		[
			"of a push",
			downloading(0, true),
			{ name: "push-ended", error: FLASH, nextChunk: 3 },
			{ stage: "DOWNLOADING", offsetBytes: 12_288 },
		],
		[
			"of the whole image",
			{ name: "VERIFYING", release: RELEASE, failureCount: 0 },
			FAILED,
			{ stage: "VERIFYING", offsetBytes: 40_000 },
		],
		["without an image", { name: "IDLE", failureCount: 0 }, FAILED, undefined],
	])("%s says where it was", (_title, state, event, place) => {
		const { command } = step(state, event);
		expect(command).toMatchObject({ name: "conclude", ending: { kind: "failed", place } });
	});
});
