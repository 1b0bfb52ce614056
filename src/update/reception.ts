// A pushed image on its way into the spare slot (image-region.ts): raw bytes come in any pieces and are written sector by
// sector through one buffer. Used by push-intake.ts. It must not know who sends them. Nothing is taken up from an earlier
// life, and nothing that is left of it is taken up by a download: bytes without a MAC may be any. At any moment a reset may
// happen.
import { SECTOR_BYTES } from "../protocol/limits.js";
import { chunkCountOf } from "../protocol/manifest.js";
import { ImageRegion } from "./image-region.js";
import type { Ledger } from "./ledger.js";
import type { Offer } from "./offer.js";
import type { Slots } from "./ports.js";

export interface ReceptionOptions {
	readonly slots: Slots;
	readonly ledger: Ledger;
	/** Its chunks are sectors. */
	readonly offer: Offer;
	/** After each sector is in flash. Must not throw. */
	readonly onSector: (sectorCount: number) => void;
}

export class Reception {
	readonly offer: Offer;
	readonly sectorCount: number;
	readonly #onSector: (sectorCount: number) => void;
	readonly #region: ImageRegion;
	readonly #sector = new Uint8Array(SECTOR_BYTES);
	#filledBytes = 0;
	#writtenBytes = 0;

	constructor(options: ReceptionOptions) {
		const { slots, ledger, offer } = options;
		this.offer = offer;
		this.sectorCount = chunkCountOf(offer.release.sizeBytes, SECTOR_BYTES);
		this.#onSector = options.onSector;
		this.#region = new ImageRegion({ slots, ledger, release: offer.release, isPushed: true });
	}

	/** Sectors in flash. */
	get writtenSectors(): number {
		return Math.ceil(this.#writtenBytes / SECTOR_BYTES);
	}

	get receivedBytes(): number {
		return this.#writtenBytes + this.#filledBytes;
	}

	/** The whole image is in flash. */
	get isComplete(): boolean {
		return this.#writtenBytes === this.offer.release.sizeBytes;
	}

	/** One short piece of making the slot ready. True when bytes may come. Throws `flash-failed`, `storage-failed`. */
	openStep(): boolean {
		if (!this.#region.isPrepared) this.#region.prepare();
		else this.#region.readyStep(0);
		return this.#region.isReadyAt(0);
	}

	/** Takes all of it. Throws `flash-failed`, `storage-failed`, and RangeError for more than the image's size. */
	take(buffer: Uint8Array, offset: number, byteCount: number): void {
		const { sizeBytes } = this.offer.release;
		if (byteCount > sizeBytes - this.receivedBytes) throw new RangeError("bytes behind the image");
		let at = offset;
		const end = offset + byteCount;
		while (at < end) {
			const wanted = Math.min(end - at, SECTOR_BYTES - this.#filledBytes);
			for (let i = 0; i < wanted; i++) this.#sector[this.#filledBytes + i] = buffer[at + i] ?? 0;
			this.#filledBytes += wanted;
			at += wanted;
			if (this.#filledBytes === SECTOR_BYTES || this.receivedBytes === sizeBytes) this.#writeSector();
		}
	}

	#writeSector(): void {
		this.#region.write(this.#writtenBytes, this.#sector, this.#filledBytes);
		this.#writtenBytes += this.#filledBytes;
		this.#filledBytes = 0;
		this.#onSector(this.writtenSectors);
		this.#region.eraseAhead(this.#writtenBytes);
	}
}
