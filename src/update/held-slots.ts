// What the slots hold, for reports: pure. Used where a report is to tell of them (facts.ts). It must not know when that is.
//
// A hash is known of images that came over the air and are still in the books; what else is known of a slot under the same
// version the server keeps.
import type { ReportedSlot, SlotState } from "../protocol/status-report.js";
import { isVersion } from "../protocol/version.js";
import type { PersistentState } from "./persistent-state.js";
import type { SlotInfo } from "./ports.js";

export interface HeldSlots {
	readonly persistent: PersistentState;
	readonly running: SlotInfo;
	readonly spare: SlotInfo;
	readonly isOnTrial: boolean;
	/** Of the running firmware. */
	readonly version: string;
}

/** The running slot and the one beside it. */
export function heldSlots(held: HeldSlots): readonly ReportedSlot[] {
	return [runningSlot(held), spareSlot(held)];
}

function runningSlot({ persistent, running, isOnTrial, version }: HeldSlots): ReportedSlot {
	const { job, installed } = persistent;
	const release = isOnTrial && job?.slot === running.label ? job.release : installed;
	const hash = release?.version === version ? release.hash : undefined;
	return { label: running.label, state: isOnTrial ? "trial" : "running", version, hash };
}

function spareSlot({ persistent, spare }: HeldSlots): ReportedSlot {
	const { label, version } = spare;
	const job = persistent.job?.slot === label ? persistent.job : undefined;
	const isUnderWay = job !== undefined && job.phase !== "activated" && job.erasedBytes > 0;
	if (isUnderWay) return { label, state: "invalid", version: job.release.version, hash: job.release.hash };
	if (version === undefined) return { label, state: "empty", version, hash: undefined };
	// Any image may lie there, and what a report cannot carry would keep all of it from being taken.
	if (!isVersion(version)) return { label, state: "unknown", version: undefined, hash: undefined };
	const release = job?.release.version === version ? job.release : undefined;
	const bad = persistent.badReleases.find((item) => item.version === version);
	const isPart = release !== undefined && job?.phase !== "activated";
	const state = isPart ? "invalid" : stateOf(spare, bad !== undefined);
	return { label, state, version, hash: release?.hash ?? (state === "invalid" ? bad?.hash : undefined) };
}

function stateOf({ state }: SlotInfo, isBad: boolean): SlotState {
	switch (state) {
		case "valid":
			return "previous";
		case "invalid":
		case "aborted":
			return "invalid";
		default:
			// Without a record: not activated, or only just. An image that is known to be bad was found so before that.
			return isBad ? "invalid" : "unknown";
	}
}
