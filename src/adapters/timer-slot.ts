// One timer that is set, moved and cleared again and again: remembers its id, forgets it when it fires, and
// lets no exception out into the native code that calls it. Used by adapters. It must not know what it times.

/** `set` calls back once, later, never before it returns. Moddable's `Timer` fits as it is. */
export interface TimerPort {
	set(callback: () => void, delayMs: number): unknown;
	clear(id: unknown): void;
}

export interface TimerSlotOptions {
	readonly timer: TimerPort;
	readonly onTime: () => void;
	/** Told what `onTime` throws. Must not throw. */
	readonly onFault: (cause: unknown) => void;
}

export class TimerSlot {
	readonly #options: TimerSlotOptions;
	readonly #fire = () => {
		this.#id = undefined;
		try {
			this.#options.onTime();
		} catch (cause) {
			this.#options.onFault(cause);
		}
	};
	#id: unknown;

	constructor(options: TimerSlotOptions) {
		this.#options = options;
	}

	/** Replaces what was set before. Throws what the timer throws. */
	set(delayMs: number): void {
		this.clear();
		this.#id = this.#options.timer.set(this.#fire, delayMs);
	}

	/** Idempotent. */
	clear(): void {
		const id = this.#id;
		this.#id = undefined;
		if (id !== undefined) this.#options.timer.clear(id);
	}
}
