// One release on its way into the spare slot (image-region.ts): frames come in, each chunk is verified and written. Used
// by the runner, which says when and how much to fetch. It must not know about requests, retries or time. At any moment
// a reset may happen; what then holds is said in erase-plan.ts and resume.ts.
import { ChunkFrameDecoder, framesLength } from "../protocol/chunk-frames.js";
import { FotaError } from "../protocol/error-codes.js";
import { SECTOR_BYTES } from "../protocol/limits.js";
import { chunkCountOf, chunkLengthOf } from "../protocol/manifest.js";
import { toFotaError } from "./fault.js";
import { ImageRegion } from "./image-region.js";
import type { Ledger } from "./ledger.js";
import type { Offer } from "./offer.js";
import type { Crypto, Slots } from "./ports.js";
import { findResumePoint } from "./resume.js";

/** Failures that say nothing about how the server takes a request. */
const PASSING_CODES: readonly string[] = ["network-unavailable", "network-timeout"];

function isPassing(error: FotaError): boolean {
	return error.retryAfterSeconds !== undefined || PASSING_CODES.includes(error.code);
}

export interface DownloadOptions {
	readonly slots: Slots;
	readonly crypto: Crypto;
	readonly ledger: Ledger;
	readonly offer: Offer;
	/** After each chunk is in flash. Must not throw. */
	readonly onChunk: (nextChunk: number) => void;
}

export class Download {
	readonly offer: Offer;
	readonly chunkCount: number;
	readonly #options: DownloadOptions;
	readonly #decoder: ChunkFrameDecoder;
	readonly #region: ImageRegion;
	#nextChunk = 0;
	/** The next chunk lies in flash since an earlier life, not yet authenticated. */
	#isHeld = false;
	#lastChunk = 0;
	#error: FotaError | undefined;

	constructor(options: DownloadOptions) {
		const { offer, slots, ledger } = options;
		this.#options = options;
		this.offer = offer;
		this.chunkCount = chunkCountOf(offer.release.sizeBytes, offer.chunkBytes);
		this.#decoder = new ChunkFrameDecoder(offer.chunkBytes);
		this.#region = new ImageRegion({ slots, ledger, release: offer.release });
	}

	/** The image lies complete in flash since an earlier activation; nothing needs to be fetched. */
	get isImageInFlash(): boolean {
		return this.#region.isActivated;
	}

	get nextChunk(): number {
		return this.#nextChunk;
	}

	/** The next chunk is to be authenticated where it lies; its frame comes without data. */
	get isFirstHeld(): boolean {
		return this.#isHeld;
	}

	/** Chunks found in flash when the download was opened, or written since. */
	get isComplete(): boolean {
		return this.#nextChunk >= this.chunkCount;
	}

	/**
	 * One short piece of making the slot ready: at most one erase. True when chunks may come. Throws `flash-failed`,
	 * `storage-failed`.
	 */
	openStep(): boolean {
		if (!this.#region.isPrepared) this.#prepare();
		else this.#region.readyStep(this.#frontierBytes);
		return this.#region.isReadyAt(this.#frontierBytes);
	}

	/** Expects `count` chunks from the next one on; returns the exact length of the body. */
	begin(count: number): number {
		const { release, chunkBytes } = this.offer;
		const first = this.#nextChunk;
		this.#error = undefined;
		this.#lastChunk = first + count;
		this.#region.finishRepair();
		this.#options.crypto.useImage(release.hash);
		this.#expectNext();
		return framesLength({
			first,
			count,
			sizeBytes: release.sizeBytes,
			chunkBytes,
			isFirstHeld: this.#isHeld,
		});
	}

	/** Bytes up to the end of the frame under way. */
	get wantedBytes(): number {
		return this.#decoder.wantedBytes;
	}

	/** Takes bytes as they come. False when the request is to be ended; `end()` has the reason. Never throws. */
	take(buffer: Uint8Array, offset: number, byteCount: number): boolean {
		if (this.#error) return false;
		try {
			this.#take(buffer, offset, byteCount);
		} catch (cause) {
			this.#error = toFotaError(cause);
		}
		return this.#error === undefined;
	}

	/** The request is over: the first thing that went wrong, ours or the connection's; undefined when all chunks came. */
	end(connectionError: FotaError | undefined): FotaError | undefined {
		const error = this.#error ?? connectionError;
		this.#error = undefined;
		// Whatever answered does not know frames without data: the chunk is fetched as a whole, or this would never end.
		if (error && this.#isHeld && !isPassing(error)) this.#discardHeld();
		if (error || this.#nextChunk >= this.#lastChunk) return error;
		return new FotaError("chunk-malformed", `the body ended before chunk ${this.#nextChunk} was complete`);
	}

	#take(buffer: Uint8Array, offset: number, byteCount: number): void {
		let at = offset;
		const end = offset + byteCount;
		while (at < end) {
			if (this.#nextChunk >= this.#lastChunk)
				throw new FotaError("chunk-malformed", "bytes behind the last chunk");
			at += this.#decoder.feed(buffer, at, end - at);
			if (this.#decoder.isMalformed)
				throw new FotaError("chunk-malformed", `chunk ${this.#nextChunk} has the wrong length`);
			if (this.#decoder.isComplete) this.#useChunk();
		}
	}

	#useChunk(): void {
		const { crypto, slots, onChunk } = this.#options;
		const { buffer, dataBytes } = this.#decoder;
		const chunk = this.#nextChunk;
		const offset = chunk * this.offer.chunkBytes;
		if (this.#isHeld) slots.read(offset, buffer, 0, dataBytes);
		if (!crypto.isChunkAuthentic(chunk, buffer, dataBytes)) this.#refuse(chunk);
		// A held chunk too: the same bytes again change no bit, and make whole what a cut may have left weak.
		this.#region.write(offset, buffer, dataBytes);
		this.#isHeld = false;
		this.#nextChunk = chunk + 1;
		onChunk(this.#nextChunk);
		this.#region.eraseAhead(this.#frontierBytes);
		this.#expectNext();
	}

	#refuse(chunk: number): never {
		if (!this.#isHeld)
			throw new FotaError("chunk-mac-mismatch", `chunk ${chunk} was altered, moved or borrowed`);
		// Torn by the power cut, or its MAC is a lie.
		this.#discardHeld();
		throw new FotaError("chunk-malformed", `chunk ${chunk} was torn in flash, it is fetched again`);
	}

	/** The next chunk is fetched as a whole, into sectors that are erased again before the next request. */
	#discardHeld(): void {
		const { release, chunkBytes } = this.offer;
		const fromBytes = this.#nextChunk * chunkBytes;
		const dataBytes = chunkLengthOf(this.#nextChunk, release.sizeBytes, chunkBytes);
		this.#isHeld = false;
		this.#region.repair(fromBytes, fromBytes + Math.ceil(dataBytes / SECTOR_BYTES) * SECTOR_BYTES);
	}

	#expectNext(): void {
		const { release, chunkBytes } = this.offer;
		if (this.#nextChunk < this.#lastChunk)
			this.#decoder.expect(chunkLengthOf(this.#nextChunk, release.sizeBytes, chunkBytes), this.#isHeld);
	}

	get #frontierBytes(): number {
		return this.#nextChunk * this.offer.chunkBytes;
	}

	#prepare(): void {
		const { slots } = this.#options;
		const { recordedBytes } = this.#region;
		this.#region.prepare();
		if (recordedBytes === 0) return;
		const { chunkBytes } = this.offer;
		const { sizeBytes } = this.offer.release;
		const point = findResumePoint({ slots, recordedBytes, chunkBytes, sizeBytes });
		this.#nextChunk = point.nextChunk;
		this.#isHeld = point.isHeld;
		// Nothing lies behind the last recorded sector.
		if (point.eraseFromBytes < point.eraseToBytes)
			this.#region.repair(point.eraseFromBytes, point.eraseToBytes);
	}
}
