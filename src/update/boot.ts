// What happened before this start, read from the boot records and from storage: pure, called once by the runner.
// Storage says what was meant, the boot records what came of it; where they differ the boot records are right.
//
// | storage                | boot records                              | meaning                                   |
// |------------------------|-------------------------------------------|-------------------------------------------|
// | rollback noted         | the firmware to be left runs               | power failed in between: carry it out     |
// | rollback noted         | another runs, not on trial                 | rolled back, for the noted reason         |
// | rollback noted         | another is on trial                        | an old note: trial                        |
// | –                      | on trial, more boots than it is given      | roll back: the bootloader does not        |
// | –                      | on trial                                   | trial                                     |
// | activated              | its slot and version run, not on trial     | confirmed, power failed before the record |
// | activated              | the old runs, spare invalid                | given up by the new firmware              |
// | activated              | the old runs, spare aborted, boots used up | crashed on trial                          |
// | activated              | the old runs, spare aborted, boots left    | power failed while booting: once more     |
// | activated              | the old runs, any other record             | record not written: verify, activate      |
// | any other, or nothing  | the old runs                               | nothing happened                          |
import { FotaError } from "../protocol/error-codes.js";
import { ACTIVATIONS_MAX, type RolledBack } from "./bookkeeping.js";
import type { Job, PersistentState, Release, RollbackNote } from "./persistent-state.js";
import type { SlotInfo } from "./ports.js";

/** Attempts at one rollback, over all starts. */
export const ROLLBACK_TRIES_MAX = 3;
/** Activations after which an aborted image with boots left is not given another: it may crash before it can count. */
const ABORTED_ACTIVATIONS_MAX = 3;

export interface BootFacts {
	readonly persistent: PersistentState;
	readonly running: SlotInfo;
	readonly spare: SlotInfo;
	readonly isOnTrial: boolean;
	readonly trialBootsMax: number;
	/** Version of the running firmware. */
	readonly version: string;
}

/** The firmware on trial, which is the running one. */
export interface Trial {
	readonly version: string;
	/** Undefined when storage has lost it. */
	readonly release: Release | undefined;
}

export type Situation =
	| { readonly kind: "idle" }
	| { readonly kind: "trial"; readonly trial: Trial }
	| { readonly kind: "completed"; readonly release: Release }
	| { readonly kind: "reactivate"; readonly release: Release }
	| { readonly kind: "rolled-back"; readonly left: RolledBack }
	| { readonly kind: "failed"; readonly release: Release; readonly error: FotaError }
	| { readonly kind: "roll-back"; readonly left: RolledBack; readonly trial: Trial | undefined }
	| { readonly kind: "rollback-exhausted"; readonly left: RolledBack; readonly trial: Trial | undefined };

export function judgeBoot(facts: BootFacts): Situation {
	const { persistent, running, version } = facts;
	const job = persistent.job?.phase === "activated" ? persistent.job : undefined;
	const isTarget = job !== undefined && job.slot === running.label && job.release.version === version;
	const trial = facts.isOnTrial ? { version, release: isTarget ? job.release : undefined } : undefined;
	const note = persistent.rollback;
	const isToBeLeft = note?.slot === running.label && note.version === version;
	if (note && isToBeLeft) return judgeRollback(note, trial);
	if (trial) {
		if (running.trialBoots <= facts.trialBootsMax) return { kind: "trial", trial };
		return { kind: "roll-back", left: crashed(trial, running), trial };
	}
	if (note) return { kind: "rolled-back", left: leftBy(note) };
	if (job === undefined) return { kind: "idle" };
	if (isTarget) return { kind: "completed", release: job.release };
	return judgeSpare(job, facts);
}

function judgeRollback(note: RollbackNote, trial: Trial | undefined): Situation {
	const kind = note.tryCount < ROLLBACK_TRIES_MAX ? "roll-back" : "rollback-exhausted";
	return { kind, left: leftBy(note), trial };
}

function leftBy(note: RollbackNote): RolledBack {
	const { version, hash, releasedAt, code, message, orderId } = note;
	return { version, hash, releasedAt, code, message, orderId };
}

function judgeSpare(job: Job, facts: BootFacts): Situation {
	const { spare } = facts;
	const { release } = job;
	// The slots have changed places, or were rewritten by cable: the image is not where it was.
	if (spare.label !== job.slot) return { kind: "rolled-back", left: crashed(release, spare) };
	if (spare.state === "invalid") {
		const message = "given up by the new firmware";
		return {
			kind: "rolled-back",
			left: { ...crashed(release, spare), code: "boot-unconfirmed", message },
		};
	}
	if (spare.state === "aborted") {
		const hasBootsLeft = spare.trialBoots < facts.trialBootsMax;
		if (hasBootsLeft && job.activationCount < ABORTED_ACTIVATIONS_MAX) return { kind: "reactivate", release };
		return { kind: "rolled-back", left: crashed(release, spare) };
	}
	if (job.activationCount < ACTIVATIONS_MAX) return { kind: "reactivate", release };
	const error = new FotaError("activate-failed", `activated ${job.activationCount} times, never started`);
	return { kind: "failed", release, error };
}

function crashed(image: Release | Trial, slot: SlotInfo): RolledBack {
	const release = "hash" in image ? image : image.release;
	return {
		version: image.version,
		hash: release?.hash,
		releasedAt: release?.releasedAt ?? Number.MAX_SAFE_INTEGER,
		code: "boot-crashed",
		message: `not confirmed after ${slot.trialBoots} trial boots`,
		orderId: undefined,
	};
}

/** A firmware on trial that was not confirmed in time. */
export function unconfirmed(trial: Trial, message: string): RolledBack {
	const { version, release } = trial;
	return {
		version,
		hash: release?.hash,
		// Unknown to storage: then no statement is late enough to lift the memory, only a higher version.
		releasedAt: release?.releasedAt ?? Number.MAX_SAFE_INTEGER,
		code: "boot-unconfirmed",
		message,
		orderId: undefined,
	};
}
