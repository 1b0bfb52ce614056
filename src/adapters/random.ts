// Random over the chip's generator. Built by main. It must not know what chance is used for.

import type { FotaCrypto } from "../native/fota-crypto.js";
import type { Random } from "../update/ports.js";

const DRAW_COUNT = 0x1_0000_0000;

export class CryptoRandom implements Random {
	readonly #crypto: Pick<FotaCrypto, "random">;
	readonly #bytes = new Uint8Array(4);
	readonly #view = new DataView(this.#bytes.buffer);

	constructor(crypto: Pick<FotaCrypto, "random">) {
		this.#crypto = crypto;
	}

	/** `bound` is a whole number from 1 to 2^32. Draws again above the last multiple of it, so none is likelier. */
	below(bound: number): number {
		if (!Number.isInteger(bound) || bound < 1 || bound > DRAW_COUNT) throw new RangeError("bad bound");
		const end = DRAW_COUNT - (DRAW_COUNT % bound);
		for (;;) {
			this.#crypto.random(this.#bytes);
			const draw = this.#view.getUint32(0);
			if (draw < end) return draw % bound;
		}
	}
}
