// A TimerPort whose clock stands until a test moves it. Fires in order of time, then of setting.

import type { RepeatingTimerPort } from "../../src/adapters/timer-slot.js";

interface Pending {
	readonly atMs: number;
	readonly callback: () => void;
	/** Undefined: once. */
	readonly intervalMs?: number;
}

export class FakeTimer implements RepeatingTimerPort {
	nowMs = 0;
	#nextId = 1;
	readonly #pending = new Map<number, Pending>();

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

	repeat(callback: () => void, intervalMs: number): number {
		if (!(intervalMs > 0)) throw new RangeError(`interval ${intervalMs}`);
		this.#nextId += 1;
		this.#pending.set(this.#nextId, { atMs: this.nowMs + intervalMs, callback, intervalMs });
		return this.#nextId;
	}

	schedule(id: unknown, delayMs: number, intervalMs: number): void {
		const pending = this.#pending.get(id as number);
		if (pending?.intervalMs === undefined) throw new Error("moved a timer that does not repeat");
		const { callback } = pending;
		this.#pending.set(id as number, { atMs: this.nowMs + delayMs, callback, intervalMs });
	}

	/** What repeats fires now, once, as if its time had come. */
	fireRepeating(): void {
		for (const { callback, intervalMs } of [...this.#pending.values()])
			if (intervalMs !== undefined) this.#fire(callback);
	}

	clear(id: unknown): void {
		if (!this.#pending.delete(id as number)) throw new Error("cleared a timer that is not set");
	}

	/** Moves the clock and fires what falls due on the way, also what is set meanwhile. */
	advance(byMs: number): void {
		const untilMs = this.nowMs + byMs;
		for (;;) {
			let due: [number, Pending] | undefined;
			for (const entry of this.#pending) {
				if (entry[1].atMs <= untilMs && (due === undefined || entry[1].atMs < due[1].atMs)) due = entry;
			}
			if (due === undefined) break;
			const [id, { atMs, callback, intervalMs }] = due;
			this.#pending.delete(id);
			if (intervalMs !== undefined) this.#pending.set(id, { atMs: atMs + intervalMs, callback, intervalMs });
			this.nowMs = atMs;
			this.#fire(callback);
		}
		this.nowMs = untilMs;
	}

	#fire(callback: () => void): void {
		try {
			callback();
		} catch (error) {
			this.escaped.push(error);
		}
	}
}
