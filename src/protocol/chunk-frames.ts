// Chunks on the wire: `length (u32 big-endian) | data | mac (32 bytes)`, any number of frames in one body
// (docs/protocol.md §6). The decoder runs in one fixed buffer, whatever pieces the network gives.
import { CHUNK_MAX_BYTES, MAC_BYTES } from "./limits.js";

export const CHUNK_PATH = "/api/inverter/fota/chunk";
export const CHUNKS_MEDIA_TYPE = "application/vnd.fota.chunks";
export const FRAME_HEAD_BYTES = 4;
export const FRAME_OVERHEAD_BYTES = FRAME_HEAD_BYTES + MAC_BYTES;
/** Prefix of what a chunk's MAC is over: number and length, each u32 big-endian, then the data. */
export const CHUNK_MAC_PREFIX_BYTES = 8;

/** Writes the MAC prefix into the first 8 bytes of `into`. Number and length in it: a chunk cannot be moved or cut. */
export function chunkMacPrefix(chunkNumber: number, lengthBytes: number, into: Uint8Array): void {
	// Byte by byte: a DataView would be garbage for each chunk on the device.
	for (let i = 0; i < 4; i++) {
		into[i] = (chunkNumber >>> (24 - 8 * i)) & 0xff;
		into[4 + i] = (lengthBytes >>> (24 - 8 * i)) & 0xff;
	}
}

/** One frame as bytes; `mac` is the caller's. */
export function encodeChunkFrame(data: Uint8Array, mac: Uint8Array): Uint8Array {
	const frame = new Uint8Array(FRAME_OVERHEAD_BYTES + data.length);
	new DataView(frame.buffer).setUint32(0, data.length);
	frame.set(data, FRAME_HEAD_BYTES);
	frame.set(mac, FRAME_HEAD_BYTES + data.length);
	return frame;
}

/**
 * Length in bytes of `count` frames from chunk `first` on, of an image cut into chunks. With `isFirstHeld` the first frame
 * comes without its data: the device has them in flash.
 */
export function framesLength(options: {
	readonly first: number;
	readonly count: number;
	readonly sizeBytes: number;
	readonly chunkBytes: number;
	readonly isFirstHeld?: boolean;
}): number {
	const firstData = options.isFirstHeld ? options.first + 1 : options.first;
	const start = Math.min(options.sizeBytes, firstData * options.chunkBytes);
	const end = Math.min(options.sizeBytes, (options.first + options.count) * options.chunkBytes);
	return end - start + options.count * FRAME_OVERHEAD_BYTES;
}

/** Collects one frame at a time: `expect()`, `feed()` until `isComplete` or `isMalformed`. Allocates in the constructor only. */
export class ChunkFrameDecoder {
	/** data (`dataBytes` of it) followed by the MAC, valid while `isComplete`. */
	readonly buffer: Uint8Array;
	#expectedBytes = 0;
	#headCount = 0;
	#length = 0;
	#filled = 0;
	#isMalformed = false;

	constructor(chunkBytes: number) {
		this.buffer = new Uint8Array(Math.min(chunkBytes, CHUNK_MAX_BYTES) + MAC_BYTES);
	}

	/**
	 * Prepares for the next frame, whose data must be exactly `expectedBytes` long. With `isHeld` the frame has no data;
	 * whoever holds them puts them into `buffer` before the MAC is checked.
	 */
	expect(expectedBytes: number, isHeld = false): void {
		this.#expectedBytes = expectedBytes;
		this.#headCount = 0;
		this.#length = 0;
		this.#filled = isHeld ? expectedBytes : 0;
		this.#isMalformed = expectedBytes <= 0 || expectedBytes + MAC_BYTES > this.buffer.length;
	}

	get isMalformed(): boolean {
		return this.#isMalformed;
	}

	get isComplete(): boolean {
		return (
			!this.#isMalformed && this.#headCount === FRAME_HEAD_BYTES && this.#filled === this.#length + MAC_BYTES
		);
	}

	/** Bytes that are missing of the expected frame; at least 1. */
	get wantedBytes(): number {
		const dataEnd = this.#expectedBytes + MAC_BYTES;
		return Math.max(1, FRAME_HEAD_BYTES - this.#headCount + dataEnd - this.#filled);
	}

	get dataBytes(): number {
		return this.#length;
	}

	/** Takes bytes up to the end of the frame at most; returns how many. Stops taking once complete or malformed. */
	feed(bytes: Uint8Array, offset: number, count: number): number {
		let at = offset;
		const end = offset + count;
		while (at < end && this.#headCount < FRAME_HEAD_BYTES && !this.#isMalformed) {
			this.#length = this.#length * 256 + (bytes[at++] ?? 0);
			// Checked before a byte of data is kept (threat: a length that overruns the buffer).
			if (++this.#headCount === FRAME_HEAD_BYTES && this.#length !== this.#expectedBytes)
				this.#isMalformed = true;
		}
		if (this.#isMalformed || this.#headCount < FRAME_HEAD_BYTES) return at - offset;
		const wanted = Math.min(end - at, this.#length + MAC_BYTES - this.#filled);
		for (let i = 0; i < wanted; i++) this.buffer[this.#filled + i] = bytes[at + i] ?? 0;
		this.#filled += wanted;
		return at + wanted - offset;
	}
}
