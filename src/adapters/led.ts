// An LED at a pin that shows how an update goes. Built by composition/led where the identity names a pin. It must not
// know what its signs mean.

import type { LedSign, Timer } from "../update/ports.js";

/** As `embedded:io/digital` in output mode; 1 is on, whatever the level of that. */
export interface LedPin {
	write(value: 0 | 1): void;
}

export interface LedOptions {
	readonly pin: LedPin;
	readonly timer: Timer;
}

export class Led {
	readonly #options: LedOptions;
	#timer: unknown;
	/** Changes of the level that a counted blinking has left. */
	#changesLeft = 0;
	/** Shown when the counted blinking is over. */
	#next: LedSign | undefined;

	constructor(options: LedOptions) {
		this.#options = options;
	}

	/** A counted blinking goes to its end before darkness, so that a failure is seen; anything else ends it. */
	show(sign: LedSign): void {
		const isDark = sign.kind === "steady" && !sign.isOn;
		if (this.#changesLeft > 0 && isDark) {
			this.#next = sign;
			return;
		}
		this.#next = undefined;
		this.#options.timer.clear(this.#timer);
		this.#changesLeft = 0;
		if (sign.kind === "steady") this.#set(sign.isOn);
		else {
			this.#changesLeft = sign.blinkCount === undefined ? 0 : 2 * sign.blinkCount;
			this.#blink(sign, true);
		}
	}

	#blink(sign: Extract<LedSign, { kind: "blink" }>, isOn: boolean): void {
		this.#set(isOn);
		if (sign.blinkCount !== undefined && --this.#changesLeft === 0) {
			if (this.#next !== undefined) this.show(this.#next);
			return;
		}
		this.#timer = this.#options.timer.set(() => this.#blink(sign, !isOn), sign.halfMs);
	}

	#set(isOn: boolean): void {
		this.#options.pin.write(isOn ? 1 : 0);
	}
}
