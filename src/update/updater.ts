// What the composition root and the push server see of the updater. Types only; runner.ts has it.
import type { PushTarget } from "./ports.js";
import type { StateName } from "./states.js";

export interface Updater extends PushTarget {
	/** Name of the state, as in reports and logs. */
	readonly state: StateName;
	/** Once. Never throws. */
	start(): void;
	/** Asks the server now instead of at the next poll; no effect while something is under way. */
	checkNow(): void;
	/** The network has come back: asks and reports now instead of at the end of a back-off. */
	networkUp(): void;
	/** Ends all timers and connections; nothing is undone. For good. */
	stop(): void;
}
