// Timer over Moddable's. Built by main. It must not know what waits. A throw that reached the native code behind
// Moddable's timer would restart the chip, so every callback is guarded here.

import type { Log, Timer, TimerId } from "../update/ports.js";
import { describeCause } from "./cause.js";
import type { TimerPort } from "./timer-slot.js";

/** Moddable takes the delay as a signed 32-bit number. */
const DELAY_MAX_MS = 0x7fff_ffff;

export interface GuardedTimerOptions {
	/** Moddable's `Timer` fits as it is. */
	readonly timer: TimerPort;
	/** Told what a callback throws. */
	readonly log: Log;
}

export class GuardedTimer implements Timer {
	readonly #timer: TimerPort;
	readonly #onFault: (cause: unknown) => void;

	constructor(options: GuardedTimerOptions) {
		this.#timer = options.timer;
		this.#onFault = (cause) => options.log.write("error", `in a timer: ${describeCause(cause)}`);
	}

	/** The delay is rounded up; what is negative counts as 0, what is above 24 days as 24 days. */
	set(callback: () => void, delayMs: number): TimerId {
		const pending: Pending = { id: undefined };
		pending.id = this.#timer.set(
			() => {
				pending.id = undefined;
				try {
					callback();
				} catch (cause) {
					this.#onFault(cause);
				}
			},
			Math.min(Math.max(Math.ceil(delayMs), 0), DELAY_MAX_MS),
		);
		return pending;
	}

	clear(id: TimerId): void {
		const pending = id as Pending | undefined;
		if (pending?.id === undefined) return;
		this.#timer.clear(pending.id);
		pending.id = undefined;
	}
}

/** Moddable's timer, until it fires: it must not be cleared afterwards. */
interface Pending {
	id: unknown;
}
