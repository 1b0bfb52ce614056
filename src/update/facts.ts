// What the runner knows at a moment, collected from the ports: for reports, and for the judgement of a start. It must not
// know what follows from it.
import type { BootFacts } from "./boot.js";
import type { Desk } from "./desk.js";
import { toFotaError } from "./fault.js";
import { heldSlots } from "./held-slots.js";
import type { ReportFacts } from "./reports.js";
import type { State } from "./states.js";

export interface Moment {
	readonly state: State;
	/** Of the download under way. */
	readonly nextChunk: number;
	/** What the slots hold is asked for too, which reads the flash. */
	readonly areSlotsWanted: boolean;
}

/** Throws `flash-failed` when the boot records cannot be read. */
export function reportFacts(desk: Desk, moment: Moment): ReportFacts {
	const { device, clock, slots } = desk.ports;
	const { state, nextChunk, areSlotsWanted } = moment;
	return {
		state: state.name === "DOWNLOADING" ? { ...state, nextChunk } : state,
		device,
		running: desk.running,
		isOnTrial: slots.isOnTrial(),
		nowMs: clock.nowMs(),
		slots: areSlotsWanted ? slotsOrNone(desk) : undefined,
	};
}

/** A report goes without them where flash cannot be read; they are asked for again with the next. */
function slotsOrNone(desk: Desk): ReportFacts["slots"] {
	try {
		return heldSlots(bootFacts(desk));
	} catch (cause) {
		desk.ports.log.write("warn", `slots: ${toFotaError(cause).message}`);
		return undefined;
	}
}

/** Throws `flash-failed` when the boot records cannot be read. */
export function bootFacts(desk: Desk): BootFacts {
	const { slots, device } = desk.ports;
	return {
		persistent: desk.ledger.state,
		running: desk.running,
		spare: slots.spare(),
		isOnTrial: slots.isOnTrial(),
		trialBootsMax: slots.trialBootsMax(),
		version: device.version,
	};
}
