// The part of the spare slot that an image is written to: made safe, erased ahead of the data, written below what is
// recorded as erased (erase-plan.ts). Used by download.ts for chunks and by reception.ts for a pushed image. It must not
// know where the bytes come from, nor whether they are the right ones. At any moment a reset may happen.
import { SECTOR_BYTES } from "../protocol/limits.js";
import { jobFor } from "./bookkeeping.js";
import { eraseStep, eraseTarget, extensionEnd, regionEnd } from "./erase-plan.js";
import type { Ledger } from "./ledger.js";
import type { Job, Release } from "./persistent-state.js";
import type { Slots } from "./ports.js";

export interface ImageRegionOptions {
	readonly slots: Slots;
	readonly ledger: Ledger;
	readonly release: Release;
	/**
	 * What comes has no MAC: it is written from the start on, and marked in storage with the record of what is erased, so
	 * before its first byte is in flash.
	 */
	readonly isPushed?: boolean;
}

export class ImageRegion {
	readonly #slots: Slots;
	readonly #ledger: Ledger;
	readonly #sizeBytes: number;
	readonly #endBytes: number;
	#job: Job;
	/** Sectors from an earlier life to be erased again before anything is written, taken from the end. */
	#repair: { fromBytes: number; toBytes: number } | undefined;
	#isPrepared = false;
	/** Erased without a gap up to here; what is above the job's erasedBytes is not recorded yet. */
	#erasedBytes: number;

	constructor(options: ImageRegionOptions) {
		const { slots, ledger, release, isPushed = false } = options;
		const spare = slots.spare();
		this.#slots = slots;
		this.#ledger = ledger;
		this.#sizeBytes = release.sizeBytes;
		this.#endBytes = regionEnd(release.sizeBytes, spare.sizeBytes);
		const job = jobFor(ledger.state, release, spare.label);
		// Threat: a push that was altered on the way and then cut. A download that went on behind such bytes would end in a
		// hash-mismatch, and three of these would have the release banned.
		if (isPushed || job.phase === "push")
			this.#job = { ...job, phase: isPushed ? "push" : "download", erasedBytes: 0 };
		else this.#job = { ...job, erasedBytes: Math.min(job.erasedBytes, this.#endBytes) };
		this.#erasedBytes = this.#job.erasedBytes;
	}

	/** The image lies complete in flash since an earlier activation. */
	get isActivated(): boolean {
		return this.#job.phase === "activated";
	}

	get isPrepared(): boolean {
		return this.#isPrepared;
	}

	/** Data lies below this offset only. 0: nothing of this image is in flash. */
	get recordedBytes(): number {
		return this.#job.erasedBytes;
	}

	/** No boot record may name the slot while it is changed: also at a resume, whatever happened to the records since. */
	prepare(): void {
		this.#slots.prepare();
		this.#isPrepared = true;
		const known = this.#ledger.state.job;
		// What an earlier job says about the flash is about to become untrue.
		if (this.#job.erasedBytes === 0 && known && (known.erasedBytes > 0 || known.phase === "activated"))
			this.#ledger.commit({ job: { ...known, phase: "download", erasedBytes: 0 } });
	}

	/** Sectors to be erased again, from the top down: see resume.ts. */
	repair(fromBytes: number, toBytes: number): void {
		this.#repair = { fromBytes, toBytes };
	}

	/** Nothing is to be erased before data may be written that begins at `frontierBytes`. */
	isReadyAt(frontierBytes: number): boolean {
		return this.#repair === undefined && this.#job.erasedBytes > 0 && !this.#isEraseDue(frontierBytes);
	}

	/** At most one erase towards isReadyAt(). Throws `flash-failed`, `storage-failed`. */
	readyStep(frontierBytes: number): void {
		if (this.#repair) this.#repairStep();
		else if (this.#job.erasedBytes === 0 || this.#isEraseDue(frontierBytes)) this.#eraseStep();
	}

	finishRepair(): void {
		while (this.#repair) this.#repairStep();
	}

	/** By the plan this erases nothing: the extension is complete before the data gets there. */
	write(offsetBytes: number, buffer: Uint8Array, byteCount: number): void {
		while (this.#job.erasedBytes < offsetBytes + byteCount) this.#eraseStep();
		this.#slots.write(offsetBytes, buffer, 0, byteCount);
	}

	/** One erase if one is due: the flash ahead is erased while the space before fills. */
	eraseAhead(frontierBytes: number): void {
		if (this.#isEraseDue(frontierBytes)) this.#eraseStep();
	}

	#repairStep(): void {
		const repair = this.#repair;
		if (repair === undefined) return;
		repair.toBytes -= SECTOR_BYTES;
		this.#slots.erase(repair.toBytes, SECTOR_BYTES);
		if (repair.toBytes <= repair.fromBytes) this.#repair = undefined;
	}

	#isEraseDue(dataEndBytes: number): boolean {
		const frontierBytes = Math.min(this.#sizeBytes, dataEndBytes);
		const recordedBytes = this.#job.erasedBytes;
		return this.#erasedBytes < eraseTarget({ frontierBytes, recordedBytes, endBytes: this.#endBytes });
	}

	/** One erase; at the end of an extension also its record. Only what is recorded may be written to. */
	#eraseStep(): void {
		const end = extensionEnd(this.#job.erasedBytes, this.#endBytes);
		if (this.#erasedBytes < end) {
			const lengthBytes = eraseStep(this.#erasedBytes, end);
			this.#slots.erase(this.#erasedBytes, lengthBytes);
			this.#erasedBytes += lengthBytes;
		}
		if (this.#erasedBytes < end) return;
		const job = { ...this.#job, erasedBytes: end };
		this.#ledger.commit({ job });
		this.#job = job;
	}
}
