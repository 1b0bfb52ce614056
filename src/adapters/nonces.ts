// Nonces of this device's requests: strictly rising, over restarts too (docs/protocol.md §3.2). Used by
// device-credential. It must not know what is asked, nor the keys.
//
// A block is reserved by writing its end before the first nonce of it is used: one write a block, and a restart
// goes on at the end, so it leaves out the rest of a block but never repeats a nonce. If storage is gone, counting begins
// at a number nobody can foretell, and where it can be read but not written it goes on by a random step each life: at a
// number used before, answers recorded in an earlier life would fit the requests of this one (threat: a replayed manifest
// or order). If the server is further it sets the number anew.

import { COUNTER_MAX } from "../protocol/limits.js";
import type { Log, Random } from "../update/ports.js";
import { describeCause } from "./cause.js";
import type { TextStorage } from "./text-storage.js";

export const NONCE_NAME = "nonce";
/** Nonces a block. An update takes a few dozen; 2^52 of them allow ten million million blocks. */
export const NONCE_BLOCK_COUNT = 256;
/** Larger ones are never taken over: threat: a server that sets the counter to its end, for good. */
export const NONCE_TAKEN_MAX = 2 ** 52;
/** The first nonce without storage is drawn from 1 to this: a thousand lives of it stay far below the largest. */
export const NONCE_FIRST_MAX = 2 ** 40;

const DRAW_BOUND = 2 ** 20;
/** A million lives without storage stay below the largest. */
const DRIFT_BOUND = 2 ** 32;

const DECIMAL = /^[1-9][0-9]{0,15}$/;

export interface NoncesOptions {
	readonly storage: TextStorage;
	readonly random: Random;
	readonly log: Log;
}

export class Nonces {
	readonly #options: NoncesOptions;
	/** 0: storage has not been read yet. */
	#next = 0;
	/** First nonce that is not reserved. */
	#reservedEnd = 0;
	/** What is used was not reserved. */
	#isAdrift = false;

	constructor(options: NoncesOptions) {
		this.#options = options;
	}

	/** Never the same twice in one run, nor below one that was. Does not throw. */
	next(): number {
		this.#load();
		if (this.#next >= this.#reservedEnd) this.#reserve();
		const nonce = this.#next;
		this.#next += 1;
		return nonce;
	}

	/** Goes on at `nonce` if that is ahead. Only for what an authenticated answer says. False: out of bounds. */
	skipTo(nonce: number): boolean {
		if (!isNonce(nonce)) return false;
		this.#load();
		if (nonce > this.#next) {
			this.#next = nonce;
			this.#reservedEnd = Math.max(this.#reservedEnd, nonce);
			if (this.#next >= this.#reservedEnd) this.#reserve();
		}
		return true;
	}

	#load(): void {
		if (this.#next > 0) return;
		this.#next = this.#read() || this.#draw();
		this.#reservedEnd = this.#next;
	}

	#draw(): number {
		const { random } = this.#options;
		return random.below(DRAW_BOUND) * DRAW_BOUND + random.below(DRAW_BOUND) + 1;
	}

	/** 0 if there is no usable number. */
	#read(): number {
		const { storage, log } = this.#options;
		try {
			const text = storage.read(NONCE_NAME);
			if (text === undefined) return 0;
			if (DECIMAL.test(text) && isNonce(Number(text))) return Number(text);
			log.write("warn", "nonce in storage is unreadable: counting begins anew");
		} catch (cause) {
			log.write("error", describeCause(cause));
		}
		return 0;
	}

	/** The block counts as reserved even if the write failed: it is tried again at the next block, not each request. */
	#reserve(): void {
		const { storage, log, random } = this.#options;
		this.#reservedEnd = Math.min(this.#next + NONCE_BLOCK_COUNT, COUNTER_MAX);
		try {
			storage.write(NONCE_NAME, String(this.#reservedEnd));
			this.#isAdrift = false;
		} catch (cause) {
			log.write("error", describeCause(cause));
			if (this.#isAdrift) return;
			// The next start reads the old number again: each life that cannot reserve goes on elsewhere.
			this.#isAdrift = true;
			this.#next += random.below(DRIFT_BOUND);
			this.#reservedEnd = Math.min(this.#next + NONCE_BLOCK_COUNT, COUNTER_MAX);
		}
	}
}

function isNonce(value: number): boolean {
	return Number.isInteger(value) && value >= 1 && value <= NONCE_TAKEN_MAX;
}
