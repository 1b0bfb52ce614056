// What the runner knows at a moment, collected from the ports: for reports, and for the judgement of a start. It must not
// know what follows from it.
import type { BootFacts } from "./boot.js";
import type { Desk } from "./desk.js";
import type { ReportFacts } from "./reports.js";
import type { State } from "./states.js";

/** Throws `flash-failed` when the boot records cannot be read. `nextChunk`: of the download under way. */
export function reportFacts(desk: Desk, state: State, nextChunk: number): ReportFacts {
	const { device, clock, slots } = desk.ports;
	return {
		state: state.name === "DOWNLOADING" ? { ...state, nextChunk } : state,
		device,
		running: desk.running,
		isOnTrial: slots.isOnTrial(),
		nowMs: clock.nowMs(),
	};
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
