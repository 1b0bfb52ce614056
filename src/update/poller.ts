// Asking the server: waiting for the next poll, the manifest, the rollback order. Part of the runner.

import { type ErrorCode, FotaError, SECURITY_CODES } from "../protocol/error-codes.js";
import type { Manifest } from "../protocol/manifest.js";
import { isApplicationBusy } from "./application.js";
import type { RolledBack } from "./bookkeeping.js";
import type { Desk } from "./desk.js";
import { toFotaError } from "./fault.js";
import { shedLine } from "./log-lines.js";
import { judgeOffer, type Offer } from "./offer.js";
import type { LogLevel } from "./ports.js";
import { UNHEARD_HOURS, waitMs } from "./schedule.js";
import type { Command } from "./states.js";

/** What a poll ends with where nobody answers. */
const UNHEARD_CODES: readonly ErrorCode[] = ["network-unavailable", "network-timeout"];

export class Poller {
	readonly #desk: Desk;
	/** Code and image of the last refusal: told once, not at every poll. */
	#refusal = "";
	/** Image whose wait for the application was logged. */
	#putOffHash = "";
	/** Code of the last failed poll that was reported: told once, not at every poll. */
	#alarm = "";
	/** Since when every poll found no network or no answer. */
	#unheardSinceMs: number | undefined;

	constructor(desk: Desk) {
		this.#desk = desk;
	}

	wait(command: Extract<Command, { name: "wait" }>): void {
		const { settings, ports } = this.#desk;
		if (this.#isLost()) {
			// Anew: should the restart fail, polling goes on.
			this.#unheardSinceMs = undefined;
			this.#desk.dispatch({ name: "unheard" });
			return;
		}
		const delayMs = waitMs(command, settings.pollSeconds, ports.random);
		// A regular poll has missed nothing while the network was gone, and the first one is spread over a fleet.
		const isForNetwork = command.until === "retry";
		this.#desk.later(delayMs, () => this.#desk.dispatch({ name: "check-due" }), isForNetwork);
	}

	#isLost(): boolean {
		const { ports } = this.#desk;
		const sinceMs = this.#unheardSinceMs;
		if (sinceMs === undefined || ports.clock.nowMs() - sinceMs < UNHEARD_HOURS * 3_600_000) return false;
		return !isApplicationBusy(ports);
	}

	/** Somebody with the device's key was here: the network works. */
	met(): void {
		this.#unheardSinceMs = undefined;
	}

	checkManifest(): void {
		const { calls, ports, settings, ledger } = this.#desk;
		// What storage refused earlier; nothing is written if there is nothing.
		ledger.note({});
		const query = { version: ports.device.version, chunkBytes: settings.chunkBytes };
		calls.manifest(
			query,
			this.#desk.only((outcome) => {
				if (outcome.error) return this.#failed(outcome.error);
				this.#reached();
				if (outcome.value === undefined) return this.#desk.dispatch({ name: "nothing-offered" });
				this.#judge(outcome.value);
			}),
		);
	}

	checkOrder(): void {
		const { calls, ledger } = this.#desk;
		calls.rollbackOrder(
			this.#desk.only((outcome) => {
				if (outcome.error) return this.#failed(outcome.error);
				this.#reached();
				const order = outcome.value;
				// An order is carried out once, however often it is shown (threat: a replayed order).
				if (order === undefined || order.orderId <= ledger.state.lastOrderId)
					return this.#desk.dispatch({ name: "nothing-ordered" });
				const left = this.#runningRelease(order.orderId, order.reason);
				this.#desk.dispatch({ name: "ordered", order, left });
			}),
		);
	}

	#judge(manifest: Manifest): void {
		const { ports, settings, ledger } = this.#desk;
		let offer: Offer;
		try {
			offer = judgeOffer(manifest, {
				crypto: ports.crypto,
				device: ports.device,
				persistent: ledger.state,
				running: this.#desk.running,
				slotBytes: ports.slots.spare().sizeBytes,
				chunkBytes: settings.chunkBytes,
				hasBootloaderRollback: ports.slots.hasBootloaderRollback(),
			});
		} catch (cause) {
			this.#refused(toFotaError(cause), manifest);
			return;
		}
		this.#refusal = "";
		if (isApplicationBusy(ports)) {
			this.#putOff(offer);
			return;
		}
		this.#putOffHash = "";
		this.#desk.dispatch({ name: "offered", offer });
	}

	#putOff({ release }: Offer): void {
		if (release.hash !== this.#putOffHash)
			this.#desk.ports.log.write("info", `update ${release.version} waits: the application is busy`);
		this.#putOffHash = release.hash;
		this.#desk.dispatch({ name: "put-off" });
	}

	#refused(error: FotaError, manifest: Manifest): void {
		const { ports, reporter } = this.#desk;
		const refusal = `${error.code} ${manifest.hash}`;
		// "Not newer" is the normal answer of a server that always shows the current release.
		if (error.code !== "version-not-newer" && refusal !== this.#refusal) {
			ports.log.write(levelOf(error), `${error.code}: ${manifest.version}: ${error.message}`);
			reporter.notice(error, manifest);
		}
		this.#refusal = refusal;
		this.#desk.dispatch({ name: "refused", error });
	}

	#failed(error: FotaError): void {
		const { ports, reporter } = this.#desk;
		if (error.retryAfterSeconds !== undefined) {
			// It answered: its network works, and there is nothing to complain of.
			this.#unheardSinceMs = undefined;
			ports.log.write("info", shedLine(error));
			this.#desk.dispatch({ name: "check-failed", error });
			return;
		}
		ports.log.write(levelOf(error), `${error.code}: ${error.message}`);
		// Any answer, even a wrong one, shows a network that a restart would not mend.
		if (!UNHEARD_CODES.includes(error.code)) this.#unheardSinceMs = undefined;
		else this.#unheardSinceMs ??= ports.clock.nowMs();
		// Without a network there is nothing to tell that the server does not see by itself.
		if (error.code !== "network-unavailable" && error.code !== this.#alarm) {
			this.#alarm = error.code;
			reporter.notice(error, undefined);
		}
		this.#desk.dispatch({ name: "check-failed", error });
	}

	#reached(): void {
		const { ledger, reporter } = this.#desk;
		const { unheardRestarts } = ledger.state;
		this.#alarm = "";
		this.#unheardSinceMs = undefined;
		if (unheardRestarts > 0) {
			const message = `restarted after ${UNHEARD_HOURS} h without an answer (count ${unheardRestarts})`;
			reporter.notice(new FotaError("network-unavailable", message), undefined);
			ledger.note({ unheardRestarts: 0 });
		}
		reporter.kickNow();
	}

	/** What an order would leave: known by its hash if it came over the air, else by its version alone. */
	#runningRelease(orderId: number, message: string): RolledBack {
		const { version } = this.#desk.ports.device;
		const { installed } = this.#desk.ledger.state;
		const release = installed?.version === version ? installed : undefined;
		return {
			version,
			hash: release?.hash,
			releasedAt: release?.releasedAt ?? Number.MAX_SAFE_INTEGER,
			code: "rollback-requested",
			message,
			orderId,
		};
	}
}

function levelOf(error: FotaError): LogLevel {
	return SECURITY_CODES.includes(error.code) ? "security" : "warn";
}
