// Where a download goes on after a reset, found in the flash itself. Used by the download when it opens.
//
// All data lies below the recorded end, in order, in flash that was erased completely before. So the last sector that
// is not erased is the last that was being written: it is taken as torn. The one behind it may have been touched too,
// without a bit that shows it (a program that had just begun, an earlier resume's erase that was cut off). Therefore
// everything from the start of the torn sector's chunk to one sector behind it is erased again, from the top down: a
// cut during that leaves a sector that is, again, either the last one not erased or the one right behind it.
//
// If the torn sector is the last one of its chunk, the chunk may well be whole. Then it is held: the server sends its MAC
// alone, and what lies in flash is authenticated instead of fetched again.
import { SECTOR_BYTES } from "../protocol/limits.js";
import type { Slots } from "./ports.js";

export interface ResumePoint {
	/** First chunk to fetch, or to authenticate. */
	readonly nextChunk: number;
	/** All sectors of nextChunk hold data; its MAC decides. */
	readonly isHeld: boolean;
	/** To be erased again: from this sector's offset … */
	readonly eraseFromBytes: number;
	/** … up to this offset, one sector a time, last sector first. */
	readonly eraseToBytes: number;
}

export function findResumePoint(options: {
	readonly slots: Pick<Slots, "isErased">;
	readonly recordedBytes: number;
	readonly chunkBytes: number;
	readonly sizeBytes: number;
}): ResumePoint {
	const { recordedBytes, chunkBytes, sizeBytes } = options;
	const tornBytes = lastUsedSector(options.slots, recordedBytes);
	if (tornBytes < 0)
		return {
			nextChunk: 0,
			isHeld: false,
			eraseFromBytes: 0,
			eraseToBytes: Math.min(SECTOR_BYTES, recordedBytes),
		};
	const nextChunk = Math.floor(tornBytes / chunkBytes);
	const endBytes = Math.min((nextChunk + 1) * chunkBytes, sizeBytes);
	const isHeld = chunkBytes >= SECTOR_BYTES && tornBytes + SECTOR_BYTES >= endBytes;
	return {
		nextChunk,
		isHeld,
		eraseFromBytes: isHeld ? tornBytes + SECTOR_BYTES : nextChunk * chunkBytes,
		eraseToBytes: Math.min(tornBytes + 2 * SECTOR_BYTES, recordedBytes),
	};
}

/** Offset of the last sector below `endBytes` that is not erased; negative when there is none. */
function lastUsedSector(slots: Pick<Slots, "isErased">, endBytes: number): number {
	let at = endBytes - SECTOR_BYTES;
	while (at >= 0 && slots.isErased(at, SECTOR_BYTES)) at -= SECTOR_BYTES;
	return at;
}
