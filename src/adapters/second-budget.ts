// How often something may be done in a second. Used by discovery. It must not know what is done.

import type { Clock } from "../update/ports.js";

export class SecondBudget {
	readonly #clock: Clock;
	readonly #max: number;
	/** Clock second, and how often in it. */
	#second = 0;
	#count = 0;

	/** `max` times in each second of the clock. */
	constructor(clock: Clock, max: number) {
		this.#clock = clock;
		this.#max = max;
	}

	/** Once more; false when it is too often. */
	take(): boolean {
		const second = Math.floor(this.#clock.nowMs() / 1000);
		this.#count = second === this.#second ? this.#count + 1 : 1;
		this.#second = second;
		return this.#count <= this.#max;
	}
}
