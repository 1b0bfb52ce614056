// What the parts of the runner share: the ports, the books, and the way to say what happened. Types only.
import type { Settings } from "../protocol/identity.js";
import type { CloudCalls } from "./cloud-calls.js";
import type { Ledger } from "./ledger.js";
import type { Ports, SlotInfo } from "./ports.js";
import type { Reporter } from "./reporter.js";
import type { Event } from "./states.js";

export interface Desk {
	readonly ports: Ports;
	readonly settings: Settings;
	readonly calls: CloudCalls;
	readonly ledger: Ledger;
	readonly reporter: Reporter;
	readonly running: SlotInfo;
	/** The next event of the machine. */
	dispatch(event: Event): void;
	/**
	 * Does `work` later, unless another command has begun by then. A wait of a second or more frees the sockets. Where the
	 * wait is for the network, its return ends it.
	 */
	later(delayMs: number, work: () => void, isForNetwork?: boolean): void;
	/** A callback that counts only until another command begins. */
	only<A extends unknown[]>(work: (...values: A) => void): (...values: A) => void;
	/** Runs work that comes from outside: whatever it throws ends there and becomes the event "failed". */
	guard(work: () => void): void;
	/** The restart that was asked for is under way: nothing more happens. */
	halt(): void;
}
