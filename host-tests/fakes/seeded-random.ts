// Random that a seed repeats. Used by the fake device and by tests that print the seed of what they found.
import type { Random } from "../../src/update/ports.js";

export function seededRandom(seed: number): Random {
	let state = seed;
	return {
		below(bound) {
			state = (Math.imul(state, 1103515245) + 12345) >>> 0;
			return (state >>> 8) % bound;
		},
	};
}
