// Clock and timer that move only when the test says so. Timers fire in the order of their time, one at a time.
import type { Clock, Timer, TimerId } from "../../src/update/ports.js";

interface Entry {
	readonly id: number;
	readonly atMs: number;
	readonly callback: () => void;
}

export class ManualTime implements Clock, Timer {
	#nowMs = 0;
	#nextId = 1;
	#entries: Entry[] = [];
	/** What callbacks threw: on the chip each would have been a restart. */
	readonly escaped: unknown[] = [];

	nowMs(): number {
		return this.#nowMs;
	}

	set(callback: () => void, delayMs: number): TimerId {
		if (!(delayMs >= 0)) throw new Error(`timer set to ${delayMs}`);
		const entry = { id: this.#nextId++, atMs: this.#nowMs + delayMs, callback };
		this.#entries.push(entry);
		return entry.id;
	}

	clear(id: TimerId): void {
		this.#entries = this.#entries.filter((entry) => entry.id !== id);
	}

	get pendingCount(): number {
		return this.#entries.length;
	}

	/** Time until the next timer; undefined when none is set. */
	get nextMs(): number | undefined {
		const entry = this.#next();
		return entry && entry.atMs - this.#nowMs;
	}

	/** Fires the next timer; false when none is set. */
	fireNext(): boolean {
		const entry = this.#next();
		if (entry === undefined) return false;
		this.clear(entry.id);
		this.#nowMs = Math.max(this.#nowMs, entry.atMs);
		try {
			entry.callback();
		} catch (cause) {
			this.escaped.push(cause);
		}
		return true;
	}

	/** Lets `durationMs` pass. */
	advance(durationMs: number): void {
		const endMs = this.#nowMs + durationMs;
		for (let entry = this.#next(); entry && entry.atMs <= endMs; entry = this.#next()) this.fireNext();
		this.#nowMs = endMs;
	}

	/** Time that passes while a call blocks. */
	block(durationMs: number): void {
		this.#nowMs += durationMs;
	}

	clearAll(): void {
		this.#entries = [];
	}

	#next(): Entry | undefined {
		let first: Entry | undefined;
		for (const entry of this.#entries)
			if (
				first === undefined ||
				entry.atMs < first.atMs ||
				(entry.atMs === first.atMs && entry.id < first.id)
			)
				first = entry;
		return first;
	}
}
