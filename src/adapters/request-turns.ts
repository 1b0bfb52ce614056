// Keeps the requests of all lines in the order of their nonces: the server takes only rising ones (docs/protocol.md
// §3.2), so a request is signed only when the one before it has been answered, or has ended. Used by server-line. It must
// not know what is asked.
//
// The head of an answer is enough: while a body of chunks streams on one line, the other goes on. So is five seconds
// without one: a server that is silent on one line must not silence the other. If both get through after all, the wrong
// way round, the server tells the later one its next nonce.

import type { Timer, TimerId } from "../update/ports.js";

const TURN_MAX_MS = 5000;

interface Waiting {
	readonly owner: object;
	readonly begin: () => void;
}

export class RequestTurns {
	readonly #timer: Timer;
	#limit: TimerId;
	#owner: object | undefined;
	#waiting: Waiting[] = [];

	constructor(timer: Timer) {
		this.#timer = timer;
	}

	/** Calls `begin` at once or when the turns before it are over; it must not throw. Its owner ends the turn. */
	take(owner: object, begin: () => void): void {
		if (this.#owner === undefined) this.#start({ owner, begin });
		else this.#waiting.push({ owner, begin });
	}

	/** The owner's turn is over, or no longer wanted. Nothing happens if it has none. */
	end(owner: object): void {
		if (this.#owner !== owner) {
			this.#waiting = this.#waiting.filter((waiting) => waiting.owner !== owner);
			return;
		}
		this.#owner = undefined;
		this.#timer.clear(this.#limit);
		const next = this.#waiting.shift();
		if (next !== undefined) this.#start(next);
	}

	#start({ owner, begin }: Waiting): void {
		this.#owner = owner;
		this.#limit = this.#timer.set(() => this.end(owner), TURN_MAX_MS);
		begin();
	}
}
