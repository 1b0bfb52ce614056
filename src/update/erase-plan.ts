// What of the spare slot is erased when (docs/design.md, "Flash is the journal"): pure arithmetic, used by the download.
//
// The image's region is erased in extensions, each twice as long as all before: 64 KiB, 192, 576, 1728, … An extension
// is recorded in storage only once it is erased completely, and data goes only below what is recorded. So storage is
// written a handful of times (the logarithm of the size), and after a power cut a half-erased sector can lie only in
// the extension that was not recorded, which is erased again.
import { ERASE_BLOCK_BYTES, SECTOR_BYTES } from "../protocol/limits.js";

/** Sectors erased in one call where no whole block can be: 4 take as long as a block. */
const PIECE_BYTES = 4 * SECTOR_BYTES;

/** End of the region that is erased for an image: whole sectors, or a whole block where that is faster. */
export function regionEnd(sizeBytes: number, slotBytes: number): number {
	const sectors = roundUp(sizeBytes, SECTOR_BYTES);
	const blocks = roundUp(sizeBytes, ERASE_BLOCK_BYTES);
	const tailBytes = sectors % ERASE_BLOCK_BYTES;
	return tailBytes >= PIECE_BYTES && blocks <= slotBytes ? blocks : sectors;
}

/** Where the extension after `erasedBytes` ends; `erasedBytes` itself when all is erased. */
export function extensionEnd(erasedBytes: number, endBytes: number): number {
	return Math.min(endBytes, erasedBytes === 0 ? ERASE_BLOCK_BYTES : 3 * erasedBytes);
}

/** Length of the next single erase from `fromBytes` on: a block where one fits, else up to four sectors. */
export function eraseStep(fromBytes: number, toBytes: number): number {
	const left = toBytes - fromBytes;
	if (fromBytes % ERASE_BLOCK_BYTES === 0 && left >= ERASE_BLOCK_BYTES) return ERASE_BLOCK_BYTES;
	const toBoundary = ERASE_BLOCK_BYTES - (fromBytes % ERASE_BLOCK_BYTES);
	return Math.min(left, PIECE_BYTES, toBoundary);
}

/**
 * How far the flash should be erased when data reaches `frontierBytes`: the extension grows in proportion as the
 * region before it fills, and is complete when that is full. Neither the stream nor the device waits for a long erase.
 */
export function eraseTarget(options: {
	/** End of the data. */
	readonly frontierBytes: number;
	/** End of what is recorded as erased. */
	readonly recordedBytes: number;
	readonly endBytes: number;
}): number {
	const { frontierBytes, recordedBytes, endBytes } = options;
	const end = extensionEnd(recordedBytes, endBytes);
	const start = recordedBytes <= ERASE_BLOCK_BYTES ? 0 : Math.floor(recordedBytes / 3);
	const share = Math.min(1, Math.max(0, (frontierBytes - start) / (recordedBytes - start || 1)));
	return Math.min(end, recordedBytes + Math.ceil(share * (end - recordedBytes)));
}

function roundUp(value: number, unit: number): number {
	return Math.ceil(value / unit) * unit;
}
