// What a program that is cut off leaves in flash where the bits of a page do not come in order. Used by nor-slots.ts. It
// must not know slots.
import { seededRandom } from "./seeded-random.js";

/** What the chip programs at a time. */
const PAGE_BYTES = 256;

/**
 * Bytes that are in effect programmed up to the end of the page that was torn, instead of `bytes`. The pages before it are
 * whole; of the bits to be cleared in it an eighth, a half or seven eighths are. A quarter of the cuts hit the last page.
 */
export function scattered(bytes: Uint8Array, seed: number): Uint8Array {
	const random = seededRandom(seed);
	const byte = () => random.below(256);
	const pageCount = Math.ceil(bytes.length / PAGE_BYTES);
	const torn = (random.below(4) === 0 ? pageCount - 1 : random.below(pageCount)) * PAGE_BYTES;
	const densities = [() => byte() & byte() & byte(), byte, () => byte() | byte() | byte()];
	const cleared = densities[random.below(densities.length)] ?? byte;
	const programmed = bytes.slice(0, torn + PAGE_BYTES);
	for (let i = torn; i < programmed.length; i++) programmed[i] = (programmed[i] ?? 0) | (~cleared() & 0xff);
	return programmed;
}
