// From an accepted offer to a boot record: opens the download, fetches, verifies, activates. Part of the runner.

import { type ErrorCode, type FotaError, SECURITY_CODES } from "../protocol/error-codes.js";
import { jobFor } from "./bookkeeping.js";
import type { Desk } from "./desk.js";
import { Download } from "./download.js";
import { toFotaError } from "./fault.js";
import { progressLine, shedLine } from "./log-lines.js";
import { tellObservers } from "./observers.js";
import type { Offer } from "./offer.js";
import type { Release } from "./persistent-state.js";
import { stallDelayMs } from "./schedule.js";
import { Verification } from "./verification.js";

/** Codes after which what is in flash cannot be trusted; the download object with what it believes goes. */
const FLASH_CODES: readonly string[] = ["flash-failed", "device-failed"];

export class Installer {
	readonly #desk: Desk;
	#download: Download | undefined;
	#verification: Verification | undefined;
	#openedMs = 0;
	#firstChunk = 0;
	/** Codes of failed requests that were reported: each once, until one goes well or the download is opened again. */
	readonly #alarms = new Set<ErrorCode>();

	constructor(desk: Desk) {
		this.#desk = desk;
	}

	get nextChunk(): number {
		return this.#download?.nextChunk ?? 0;
	}

	#chunkStored(chunk: number): void {
		const { ports } = this.#desk;
		const { offer, chunkCount } = this.#download ?? {};
		if (offer === undefined || chunkCount === undefined) return;
		const line = progressLine({
			chunk,
			chunkCount,
			chunkBytes: offer.chunkBytes,
			fetchedCount: chunk - this.#firstChunk,
			elapsedMs: ports.clock.nowMs() - this.#openedMs,
		});
		if (line === undefined) return;
		ports.log.write("info", line);
		tellObservers(ports, { state: "DOWNLOADING", percent: Math.floor((100 * chunk) / chunkCount) });
	}

	/** Nothing is under way: what is not needed to go on with the download is let go. */
	rest(): void {
		this.#verification?.abandon();
		this.#verification = undefined;
	}

	/** Somebody else writes to the slot: a download that was put off begins with a look at the flash again. */
	forget(): void {
		this.#download = undefined;
	}

	open(offer: Offer): void {
		const { reporter } = this.#desk;
		const known = this.#download;
		this.#alarms.clear();
		// Put off and offered again: goes on where it was, without looking at the flash again.
		if (known === undefined || !isSameOffer(known.offer, offer)) this.#download = this.#newDownload(offer);
		if (this.#download?.isImageInFlash) {
			this.#download = undefined;
			this.#desk.dispatch({ name: "image-found" });
			return;
		}
		reporter.update();
		this.#openStep();
	}

	#newDownload(offer: Offer): Download {
		const { ports, ledger } = this.#desk;
		const { slots, crypto } = ports;
		return new Download({
			slots,
			crypto,
			ledger,
			offer,
			onChunk: (nextChunk) => this.#chunkStored(nextChunk),
		});
	}

	/** Throws without one: nothing would come of the command, and the machine would wait for ever. */
	#opened(): Download {
		if (this.#download === undefined) throw new Error("no download is open");
		return this.#download;
	}

	#openStep(): void {
		const download = this.#opened();
		let isOpen: boolean;
		try {
			isOpen = download.openStep();
		} catch (cause) {
			this.#failed(toFotaError(cause));
			return;
		}
		if (!isOpen) {
			this.#desk.later(0, () => this.#openStep());
			return;
		}
		const { nextChunk, chunkCount } = download;
		this.#openedMs = this.#desk.ports.clock.nowMs();
		this.#firstChunk = nextChunk;
		if (nextChunk > 0)
			this.#desk.ports.log.write("info", `download goes on at chunk ${nextChunk} of ${chunkCount}`);
		this.#desk.reporter.slotsMoved();
		this.#desk.dispatch({ name: "download-opened", nextChunk });
	}

	fetch(): void {
		const download = this.#opened();
		const { calls, settings } = this.#desk;
		const { hash } = download.offer.release;
		const first = download.nextChunk;
		const left = download.chunkCount - first;
		const most = settings.chunksPerInterval === 0 ? left : Math.min(left, settings.chunksPerInterval);
		// Alone: if it does not fit, what followed its frame would have come for nothing.
		const count = download.isFirstHeld ? 1 : most;
		let bodyBytes: number;
		try {
			bodyBytes = download.begin(count);
		} catch (cause) {
			this.#failed(toFotaError(cause));
			return;
		}
		calls.fetchChunks({
			hash,
			chunkBytes: download.offer.chunkBytes,
			first,
			count,
			isFirstHeld: download.isFirstHeld,
			bodyBytes,
			wantedBytes: () => download.wantedBytes,
			onData: (buffer, offset, byteCount) => download.take(buffer, offset, byteCount),
			onDone: this.#desk.only((error) => this.#fetched(download, error)),
		});
	}

	#fetched(download: Download, connectionError: FotaError | undefined): void {
		const error = download.end(connectionError);
		const { nextChunk } = download;
		if (error) this.#noteFetchError(error, download);
		else this.#alarms.clear();
		this.#desk.dispatch({ name: "fetch-ended", nextChunk, error });
	}

	#noteFetchError(error: FotaError, download: Download): void {
		const { ports, reporter } = this.#desk;
		if (error.retryAfterSeconds !== undefined) {
			ports.log.write("info", shedLine(error));
			return;
		}
		const isSecurity = SECURITY_CODES.includes(error.code);
		ports.log.write(
			isSecurity ? "security" : "warn",
			`${error.code}: ${error.message} (at chunk ${download.nextChunk} of ${download.chunkCount})`,
		);
		// Without a network there is nothing to tell that the server does not see by itself.
		if (error.code !== "network-unavailable" && !this.#alarms.has(error.code)) {
			this.#alarms.add(error.code);
			reporter.notice(error, download.offer.release);
		}
		if (FLASH_CODES.includes(error.code)) this.#download = undefined;
	}

	#failed(error: FotaError): void {
		if (FLASH_CODES.includes(error.code)) this.#download = undefined;
		this.#desk.dispatch({ name: "failed", error });
	}

	pause(stallCount: number): void {
		const { settings, ports } = this.#desk;
		const delayMs = stallCount === 0 ? settings.intervalMs : stallDelayMs(stallCount, ports.random);
		this.#desk.later(delayMs, () => this.#desk.dispatch({ name: "pause-over" }), stallCount > 0);
	}

	verify(release: Release): void {
		const { slots, crypto, device } = this.#desk.ports;
		// Its buffer is the next one's room.
		this.#download = undefined;
		const verification = new Verification({ slots, hasher: crypto.hasher, chip: device.chip, release });
		this.#verification = verification;
		this.#verifyStep(verification);
	}

	#verifyStep(verification: Verification): void {
		let isVerified: boolean;
		try {
			isVerified = verification.step();
		} catch (cause) {
			this.#desk.dispatch({ name: "failed", error: toFotaError(cause) });
			return;
		}
		if (!isVerified) {
			this.#desk.later(0, () => this.#verifyStep(verification));
			return;
		}
		this.#verification = undefined;
		this.#desk.ports.log.write("info", "image verified: hash, format, chip and version");
		this.#desk.dispatch({ name: "image-verified" });
	}

	/** Recorded first: after a cut between the two the image is found and activated again, not downloaded again. */
	activate(release: Release): void {
		const { ledger, ports } = this.#desk;
		const job = jobFor(ledger.state, release, ports.slots.spare().label);
		ledger.commit({ job: { ...job, phase: "activated", activationCount: job.activationCount + 1 } });
		ports.slots.activate();
		this.#desk.dispatch({ name: "activated" });
	}
}

function isSameOffer(a: Offer, b: Offer): boolean {
	return (
		a.release.hash === b.release.hash &&
		a.release.releasedAt === b.release.releasedAt &&
		a.chunkBytes === b.chunkBytes
	);
}
