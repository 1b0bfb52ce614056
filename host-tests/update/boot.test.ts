import { describe, expect, it } from "vitest";
import { type BootFacts, judgeBoot } from "../../src/update/boot.js";
import { FRESH_STATE, type Job, type RollbackNote } from "../../src/update/persistent-state.js";
import type { SlotInfo } from "../../src/update/ports.js";

const RELEASE = {
	version: "1.1.0",
	hash: "a".repeat(64),
	sizeBytes: 40_960,
	securityVersion: 0,
	releasedAt: 1,
};
const JOB: Job = {
	release: RELEASE,
	slot: "ota_1",
	phase: "activated",
	erasedBytes: 65_536,
	tryCount: 0,
	activationCount: 1,
};
const NOTE: RollbackNote = {
	slot: "ota_1",
	version: "1.1.0",
	hash: RELEASE.hash,
	releasedAt: 1,
	code: "boot-unconfirmed",
	message: "m",
	orderId: undefined,
	tryCount: 1,
};

function slot(label: string, state: SlotInfo["state"], trialBoots = 0): SlotInfo {
	return { label, sizeBytes: 0x10_0000, state, version: undefined, securityVersion: 0, trialBoots };
}

function facts(changes: Partial<BootFacts>): BootFacts {
	return {
		persistent: FRESH_STATE,
		running: slot("ota_0", "valid"),
		spare: slot("ota_1", "undefined"),
		isOnTrial: false,
		trialBootsMax: 3,
		version: "1.0.0",
		...changes,
	};
}

const ACTIVATED = { ...FRESH_STATE, job: JOB };
const NEW_RUNS = { running: slot("ota_1", "new", 1), spare: slot("ota_0", "valid"), version: "1.1.0" };

describe("judgeBoot", () => {
	it.each<[string, Partial<BootFacts>, object]>([
		["nothing was under way", {}, { kind: "idle" }],
		[
			"a download was under way",
			{ persistent: { ...FRESH_STATE, job: { ...JOB, phase: "download" } } },
			{ kind: "idle" },
		],
		[
			"the new firmware is on trial",
			{ persistent: ACTIVATED, isOnTrial: true, ...NEW_RUNS },
			{ kind: "trial", trial: { version: "1.1.0", release: RELEASE } },
		],
		[
			"it is on trial and storage is lost",
			{ isOnTrial: true, ...NEW_RUNS },
			{ kind: "trial", trial: { version: "1.1.0", release: undefined } },
		],
		[
			"it has had more boots than it is given",
			{ persistent: ACTIVATED, isOnTrial: true, ...NEW_RUNS, running: slot("ota_1", "new", 4) },
			{ kind: "roll-back", left: { code: "boot-crashed", version: "1.1.0" } },
		],
		[
			"it was confirmed and power failed before the books were written",
			{ persistent: ACTIVATED, ...NEW_RUNS },
			{ kind: "completed", release: RELEASE },
		],
		[
			"the boot record was never written",
			{ persistent: ACTIVATED },
			{ kind: "reactivate", release: RELEASE },
		],
		[
			"the bootloader did not take the image",
			{ persistent: ACTIVATED, spare: slot("ota_1", "new", 0) },
			{ kind: "reactivate" },
		],
		[
			"that happened too often",
			{ persistent: { ...FRESH_STATE, job: { ...JOB, activationCount: 5 } } },
			{ kind: "failed", error: { code: "activate-failed" } },
		],
		[
			"power failed in the first moments of a trial boot",
			{ persistent: ACTIVATED, spare: slot("ota_1", "aborted", 1) },
			{ kind: "reactivate" },
		],
		[
			"the image aborts before it can count, again and again",
			{
				persistent: { ...FRESH_STATE, job: { ...JOB, activationCount: 3 } },
				spare: slot("ota_1", "aborted", 0),
			},
			{ kind: "rolled-back", left: { code: "boot-crashed" } },
		],
		[
			"it crashed on all its boots",
			{ persistent: ACTIVATED, spare: slot("ota_1", "aborted", 3) },
			{ kind: "rolled-back", left: { code: "boot-crashed", hash: RELEASE.hash } },
		],
		[
			"it gave itself up and the reason is lost",
			{ persistent: ACTIVATED, spare: slot("ota_1", "invalid", 1) },
			{ kind: "rolled-back", left: { code: "boot-unconfirmed" } },
		],
		[
			"it gave itself up for a reason",
			{ persistent: { ...ACTIVATED, rollback: NOTE }, spare: slot("ota_1", "invalid", 1) },
			{ kind: "rolled-back", left: { code: "boot-unconfirmed", message: "m" } },
		],
		[
			"power failed before the rollback was carried out",
			{ persistent: { ...ACTIVATED, rollback: NOTE }, isOnTrial: true, ...NEW_RUNS },
			{ kind: "roll-back", left: { code: "boot-unconfirmed" }, trial: { version: "1.1.0" } },
		],
		[
			"the rollback had no effect, too often",
			{ persistent: { ...ACTIVATED, rollback: { ...NOTE, tryCount: 3 } }, isOnTrial: true, ...NEW_RUNS },
			{ kind: "rollback-exhausted" },
		],
		[
			"the note of a rollback could not be taken off before the next trial",
			{
				persistent: { ...ACTIVATED, rollback: { ...NOTE, slot: "ota_0", version: "1.0.5" } },
				isOnTrial: true,
				...NEW_RUNS,
			},
			{ kind: "trial", trial: { version: "1.1.0", release: RELEASE } },
		],
		[
			"another firmware was flashed by cable into the slot that was to be left",
			{ persistent: { ...FRESH_STATE, rollback: NOTE }, ...NEW_RUNS, version: "1.1.1" },
			{ kind: "rolled-back" },
		],
		[
			"the chip went back to factory and the spare is another slot",
			{ persistent: ACTIVATED, running: slot("factory", "undefined"), spare: slot("ota_0", "undefined") },
			{ kind: "rolled-back", left: { code: "boot-crashed" } },
		],
	])("sees that %s", (_what, changes, wanted) => {
		expect(judgeBoot(facts(changes))).toMatchObject(wanted);
	});
});
