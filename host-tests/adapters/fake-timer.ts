// A TimerPort whose clock stands until a test moves it. Fires in order of time, then of setting.

import type { TimerPort } from "../../src/adapters/timer-slot.js";

export class FakeTimer implements TimerPort {
	nowMs = 0;
	#nextId = 1;
	readonly #pending = new Map<number, { readonly atMs: number; readonly callback: () => void }>();

	/** What native code would have caught by restarting the chip. */
	readonly escaped: unknown[] = [];

	get pendingCount(): number {
		return this.#pending.size;
	}

	set(callback: () => void, delayMs: number): number {
		if (!(delayMs >= 0)) throw new RangeError(`delay ${delayMs}`);
		this.#nextId += 1;
		this.#pending.set(this.#nextId, { atMs: this.nowMs + delayMs, callback });
		return this.#nextId;
	}

	clear(id: unknown): void {
		if (!this.#pending.delete(id as number)) throw new Error("cleared a timer that is not set");
	}

	/** Moves the clock and fires what falls due on the way, also what is set meanwhile. */
	advance(byMs: number): void {
		const untilMs = this.nowMs + byMs;
		for (;;) {
			let due: [number, { readonly atMs: number; readonly callback: () => void }] | undefined;
			for (const entry of this.#pending) {
				if (entry[1].atMs <= untilMs && (due === undefined || entry[1].atMs < due[1].atMs)) due = entry;
			}
			if (due === undefined) break;
			this.#pending.delete(due[0]);
			this.nowMs = due[1].atMs;
			try {
				due[1].callback();
			} catch (error) {
				this.escaped.push(error);
			}
		}
		this.nowMs = untilMs;
	}
}
