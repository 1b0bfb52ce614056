// One timer that is set, moved and cleared again and again: remembers its id, forgets it when it fires, and
// lets no exception out into the native code that calls it. Used by adapters. It must not know what it times.

/** `set` calls back once, later, never before it returns. Moddable's `Timer` fits as it is. */
export interface TimerPort {
	set(callback: () => void, delayMs: number): unknown;
	clear(id: unknown): void;
}

/** One that repeats without an allocation each time. Moddable's `Timer` fits as it is. */
export interface RepeatingTimerPort extends TimerPort {
	repeat(callback: () => void, intervalMs: number): unknown;
	/** Of one that repeats: the next time is in `delayMs`, and then again every `intervalMs`. */
	schedule(id: unknown, delayMs: number, intervalMs: number): void;
}

export interface TimerSlotOptions {
	readonly timer: TimerPort;
	readonly onTime: () => void;
	/** Told what `onTime` throws. Must not throw. */
	readonly onFault: (cause: unknown) => void;
}

/** Keeps no options object: a device holds some twenty of these, and each value of an object is a slot of the heap. */
export class TimerSlot {
	readonly #timer: TimerPort;
	readonly #fire: () => void;
	#id: unknown;

	constructor({ timer, onTime, onFault }: TimerSlotOptions) {
		this.#timer = timer;
		this.#fire = () => {
			this.#id = undefined;
			try {
				onTime();
			} catch (cause) {
				onFault(cause);
			}
		};
	}

	/** Replaces what was set before. Throws what the timer throws. */
	set(delayMs: number): void {
		this.clear();
		this.#id = this.#timer.set(this.#fire, delayMs);
	}

	/** Idempotent. */
	clear(): void {
		const id = this.#id;
		this.#id = undefined;
		if (id !== undefined) this.#timer.clear(id);
	}
}
