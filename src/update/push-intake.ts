// A push from its offer to the last byte: whether it may begin, the slot made ready, the bytes taken, and the sender told
// how it ended, whatever ended it. Part of the runner. It must not know sockets, HTTP or credentials; what happens after
// the last byte is the same as for a download.

import { FotaError, SECURITY_CODES } from "../protocol/error-codes.js";
import { SECTOR_BYTES } from "../protocol/limits.js";
import { chunkCountOf } from "../protocol/manifest.js";
import { parseSignedStatement } from "../protocol/release-statement.js";
import { isApplicationBusy } from "./application.js";
import type { Desk } from "./desk.js";
import { busyError, toFotaError } from "./fault.js";
import { progressLine } from "./log-lines.js";
import { tellObservers } from "./observers.js";
import { judgeOffer, type Offer } from "./offer.js";
import type { PushListener, PushOffer, PushSink } from "./ports.js";
import { Reception } from "./reception.js";
import type { State } from "./states.js";

/** Longer than the push server's own patience: it fires only when that has lost a sender. */
const SILENCE_MAX_MS = 120_000;

interface Session {
	readonly listener: PushListener;
	/** Set when the slot is to be made ready. */
	reception: Reception | undefined;
	isReceiving: boolean;
	openedMs: number;
}

export class PushIntake {
	readonly #desk: Desk;
	#session: Session | undefined;

	constructor(desk: Desk) {
		this.#desk = desk;
	}

	/** Sectors in flash of the push under way. */
	get nextChunk(): number {
		return this.#session?.reception?.writtenSectors ?? 0;
	}

	/** Throws the refusal, `device-busy` among them; then nothing has changed. */
	offer(proposal: PushOffer, listener: PushListener, state: State): PushSink {
		let offer: Offer;
		try {
			this.#checkState(state);
			offer = this.#judge(proposal);
		} catch (cause) {
			throw this.#refused(toFotaError(cause), proposal);
		}
		const session: Session = { listener, reception: undefined, isReceiving: false, openedMs: 0 };
		this.#session = session;
		this.#desk.guard(() => this.#desk.dispatch({ name: "pushed", offer }));
		return {
			take: (buffer, offset, byteCount) => this.#take(session, buffer, offset, byteCount),
			abort: (error) => this.#abort(session, error),
		};
	}

	#checkState(state: State): void {
		if (this.#session !== undefined) throw busyError("another push is under way");
		switch (state.name) {
			case "IDLE":
			case "CHECKING_MANIFEST":
				break;
			case "DOWNLOADING":
			case "VERIFYING":
			case "WRITING":
				throw busyError(`another update is under way (${state.name})`);
			case "REBOOTING":
				throw busyError("it is about to restart");
			case "BOOT_VERIFICATION":
				throw busyError("its new firmware is on trial, the old one is the way back");
			default:
				throw busyError(`it is in state ${state.name}`);
		}
		if (isApplicationBusy(this.#desk.ports)) throw busyError("its application is busy");
		// The state of a device that could not judge its start is IDLE as well.
		if (this.#desk.ports.slots.isOnTrial())
			throw busyError("its firmware is on trial, the old one is the way back");
	}

	#judge(proposal: PushOffer): Offer {
		const { ports, ledger, running } = this.#desk;
		const { release, sizeBytes } = proposal;
		const { statement } = parseSignedStatement(release);
		const { version, buildNumber, hash } = statement;
		const chunkCount = chunkCountOf(sizeBytes, SECTOR_BYTES);
		const numbers = { version, buildNumber, hash, sizeBytes, chunkBytes: SECTOR_BYTES, chunkCount };
		const offer = judgeOffer(
			{ ...numbers, release },
			{
				crypto: ports.crypto,
				device: ports.device,
				persistent: ledger.state,
				running,
				slotBytes: ports.slots.spare().sizeBytes,
				chunkBytes: SECTOR_BYTES,
				hasBootloaderRollback: ports.slots.hasBootloaderRollback(),
			},
		);
		return { ...offer, isPushed: true };
	}

	#refused(error: FotaError, { release }: PushOffer): FotaError {
		const { ports, reporter } = this.#desk;
		const isSecurity = SECURITY_CODES.includes(error.code);
		ports.log.write(isSecurity ? "security" : "warn", `push refused: ${error.code}: ${error.message}`);
		// Whoever pushes has read it; the server is told what concerns more than that moment.
		if (error.code !== "device-busy" && error.code !== "version-not-newer")
			reporter.notice(error, statedRelease(release));
		return error;
	}

	open(offer: Offer): void {
		const session = this.#current();
		// In a turn of its own: the offer comes from deep within the push server.
		this.#desk.later(0, () => {
			const { ports, ledger, reporter } = this.#desk;
			session.reception = new Reception({
				slots: ports.slots,
				ledger,
				offer,
				onSector: (sectorCount) => this.#sectorStored(session, sectorCount),
			});
			reporter.update();
			this.#openStep(session);
		});
	}

	/** Throws without one: nothing would come of the command, and the machine would wait for ever. */
	#current(): Session {
		if (this.#session === undefined) throw new Error("no push is under way");
		return this.#session;
	}

	#openStep(session: Session): void {
		let isOpen: boolean;
		try {
			isOpen = session.reception?.openStep() ?? false;
		} catch (cause) {
			this.#desk.dispatch({ name: "push-ended", error: toFotaError(cause) });
			return;
		}
		if (isOpen) {
			this.#desk.reporter.slotsMoved();
			this.#desk.dispatch({ name: "download-opened", nextChunk: 0 });
		} else this.#desk.later(0, () => this.#openStep(session));
	}

	receive(): void {
		const session = this.#current();
		session.isReceiving = true;
		session.openedMs = this.#desk.ports.clock.nowMs();
		this.#watch(session, 0);
		this.#tell(() => session.listener.onReady());
	}

	/** Bytes of a push that is over must not reach the flash. Called for every piece: no closure is made here. */
	#take(session: Session, buffer: Uint8Array, offset: number, byteCount: number): boolean {
		const { reception } = session;
		if (session !== this.#session || !session.isReceiving || reception === undefined) return false;
		try {
			reception.take(buffer, offset, byteCount);
		} catch (cause) {
			this.#ended(session, toFotaError(cause));
			return false;
		}
		if (reception.isComplete) this.#ended(session, undefined);
		return true;
	}

	#abort(session: Session, error: FotaError): void {
		if (session === this.#session) this.#ended(session, error);
	}

	#ended(session: Session, error: FotaError | undefined): void {
		session.isReceiving = false;
		this.#desk.guard(() => this.#desk.dispatch({ name: "push-ended", error, nextChunk: this.nextChunk }));
	}

	#watch(session: Session, seenBytes: number): void {
		this.#desk.later(SILENCE_MAX_MS, () => {
			const receivedBytes = session.reception?.receivedBytes ?? 0;
			if (receivedBytes > seenBytes) this.#watch(session, receivedBytes);
			else this.#ended(session, new FotaError("push-aborted", `silent after ${receivedBytes} bytes`));
		});
	}

	#sectorStored(session: Session, sectorCount: number): void {
		const { ports } = this.#desk;
		const chunkCount = session.reception?.sectorCount ?? 1;
		const line = progressLine({
			chunk: sectorCount,
			chunkCount,
			chunkBytes: SECTOR_BYTES,
			fetchedCount: sectorCount,
			elapsedMs: ports.clock.nowMs() - session.openedMs,
			what: "push",
		});
		if (line === undefined) return;
		ports.log.write("info", line);
		tellObservers(ports, { state: "DOWNLOADING", percent: Math.floor((100 * sectorCount) / chunkCount) });
	}

	/** Wherever the machine goes from here, the sender is told. */
	stateEntered(state: State): void {
		switch (state.name) {
			case "DOWNLOADING":
			case "VERIFYING":
			case "WRITING":
				return;
			case "REBOOTING":
				this.#conclude(undefined);
				return;
			case "FAILED":
				this.#conclude(state.error);
				return;
			default:
				this.#conclude(new FotaError("device-failed", "the update was given up"));
		}
	}

	/** Ends what is under way, if anything is. */
	#conclude(error: FotaError | undefined): void {
		const session = this.#session;
		this.#session = undefined;
		if (session !== undefined) this.#tell(() => session.listener.onEnd(error));
	}

	#tell(call: () => void): void {
		try {
			call();
		} catch (cause) {
			this.#desk.ports.log.write("error", `after a push: ${toFotaError(cause).message}`);
		}
	}
}

/** What an unsigned statement calls itself: for the report of its refusal, nothing else. */
function statedRelease(release: string): { version: string; hash: string } | undefined {
	try {
		const { version, hash } = parseSignedStatement(release).statement;
		return { version, hash };
	} catch {
		return undefined;
	}
}
