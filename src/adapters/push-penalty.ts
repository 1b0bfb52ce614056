// What wrong credentials cost at the push port: each answer comes later than the one before, up to a limit, and only some
// are told to the log and the server. Used by push-exchange. It must not know requests. Nobody waits but who was wrong: a
// right credential is served at once, so an owner is not kept out by a stranger (threat: lock-out).

const DELAY_BASE_MS = 500;
const DELAY_MAX_MS = 8000;
/** So long without a wrong one, and counting begins anew. */
const FORGET_MS = 60_000;
/** Between two that are told: a serial line takes 10 ms each (threat: a log that is flooded). */
const TELL_EVERY_MS = 30_000;

export interface Punishment {
	/** Wait before the answer. */
	readonly delayMs: number;
	/** Attempts since the last that was told, this one included; undefined: not to be told. */
	readonly toldCount: number | undefined;
}

export class PushPenalty {
	#failureCount = 0;
	#latestMs = 0;
	#toldMs: number | undefined;
	#untoldCount = 0;

	failed(nowMs: number): Punishment {
		if (nowMs - this.#latestMs >= FORGET_MS) this.#failureCount = 0;
		this.#latestMs = nowMs;
		const delayMs = Math.min(DELAY_MAX_MS, DELAY_BASE_MS * 2 ** Math.min(10, this.#failureCount));
		this.#failureCount += 1;
		return { delayMs, toldCount: this.#tell(nowMs) };
	}

	/** The owner is there. */
	succeeded(): void {
		this.#failureCount = 0;
	}

	#tell(nowMs: number): number | undefined {
		this.#untoldCount += 1;
		if (this.#toldMs !== undefined && nowMs - this.#toldMs < TELL_EVERY_MS) return undefined;
		const count = this.#untoldCount;
		this.#toldMs = nowMs;
		this.#untoldCount = 0;
		return count;
	}
}
