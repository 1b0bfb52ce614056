// Clock over the chip's own timer: milliseconds since this start. Built by main. It must not know the time of
// day, which may be set and jumps.

import type { FotaSystem } from "../native/fota-system.js";
import type { Clock } from "../update/ports.js";

export class SystemClock implements Clock {
	readonly #system: Pick<FotaSystem, "uptimeMs">;
	#latestMs = 0;

	constructor(system: Pick<FotaSystem, "uptimeMs">) {
		this.#system = system;
	}

	/** The chip counts in 64 bits, so nothing wraps; the larger value is kept in case it ever steps back. */
	nowMs(): number {
		this.#latestMs = Math.max(this.#latestMs, this.#system.uptimeMs());
		return this.#latestMs;
	}
}
