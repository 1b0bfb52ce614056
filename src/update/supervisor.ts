// Everything around a restart: the announcement before it, the trial after it, the way back, and the end of an update
// in the books. Part of the runner.

import { FotaError, SECURITY_CODES } from "../protocol/error-codes.js";
import { parseSignedStatement } from "../protocol/release-statement.js";
import type { StatusReport } from "../protocol/status-report.js";
import { isApplicationBusy } from "./application.js";
import { bookEnding, type Ending, type RolledBack, withBad } from "./bookkeeping.js";
import type { Desk } from "./desk.js";
import { busyError, plainMessage } from "./fault.js";
import { judgeTrial, unhealthyChecks } from "./health.js";
import { COUNT_MAX } from "./persistent-state.js";
import { currentReport, type ReportFacts } from "./reports.js";
import { UNHEARD_HOURS } from "./schedule.js";
import type { Command, State } from "./states.js";

/** Longest wait for the report that announces a restart. */
const ANNOUNCE_MAX_MS = 10_000;
/** Between that report and the restart. */
const RESTART_DELAY_MS = 3000;
const TRIAL_TICK_MS = 1000;
/** Until a busy application is asked again whether the restart may come. */
const BUSY_REST_MS = 1000;
/** Between two attempts at a rollback. */
const ROLLBACK_REST_MS = 5000;

export class Supervisor {
	readonly #desk: Desk;
	/** When this start was found to be a trial, which may be after its boot records could not be read for a while. */
	#trialSinceMs: number | undefined;
	/** Since when every look at a firmware on trial found all its checks healthy. */
	#wellSinceMs: number | undefined;
	/** A person beside the device has said that this firmware may stay. */
	#isVouchedFor = false;

	constructor(desk: Desk) {
		this.#desk = desk;
	}

	/** The start-up report, always; unless an outcome waits, which says the same and more. */
	reportStart(): void {
		const { reporter, ledger, ports } = this.#desk;
		if (ports.slots.isOnTrial() || ledger.state.outcomes.length === 0) reporter.boot();
		else reporter.kick();
		if (ports.device.hasErasedStorage)
			this.#complain(new FotaError("storage-failed", "storage was unusable at the start and was erased"));
		if (!ports.slots.hasBootloaderRollback())
			this.#complain(new FotaError("bootloader-without-rollback", "updates are refused"));
	}

	#complain(error: FotaError): void {
		const { reporter, ports } = this.#desk;
		ports.log.write("error", `${error.code}: ${error.message}`);
		reporter.notice(error, undefined);
	}

	/** The last resort of a device that reaches nobody. Counted first, so that the server hears of it some day. */
	restartUnheard(): void {
		const { ledger, ports, calls } = this.#desk;
		ledger.note({ unheardRestarts: Math.min(COUNT_MAX, ledger.state.unheardRestarts + 1) });
		ports.log.write("error", `no word from the server for ${UNHEARD_HOURS} h: restarting`);
		calls.drop();
		ports.device.restart();
		this.#desk.halt();
	}

	/** Not while the application is busy. A reset in the meantime starts the new firmware as well. */
	restart(facts: () => ReportFacts, isWaiting = false): void {
		const { ports } = this.#desk;
		if (isApplicationBusy(ports)) {
			if (!isWaiting) ports.log.write("info", "the restart waits: the application is busy");
			this.#desk.later(BUSY_REST_MS, () => this.restart(facts, true));
			return;
		}
		this.#announce(currentReport(facts()), () => {
			this.#desk.calls.drop();
			this.#desk.later(RESTART_DELAY_MS, () => {
				this.#desk.ports.log.write("info", "restarting");
				this.#desk.ports.device.restart();
				this.#desk.halt();
			});
		});
	}

	/** Goes on when the report was answered or after a bounded wait, whichever comes first; once. */
	#announce(report: StatusReport, next: () => void): void {
		let isOver = false;
		const proceed = this.#desk.only(() => {
			if (isOver) return;
			isOver = true;
			next();
		});
		this.#desk.later(ANNOUNCE_MAX_MS, proceed);
		this.#desk.reporter.urgent(report, proceed);
	}

	watchTrial(hasDeadline: boolean): void {
		this.#trialSinceMs ??= this.#desk.ports.clock.nowMs();
		this.#desk.later(TRIAL_TICK_MS, () => this.#tickTrial(hasDeadline));
	}

	#tickTrial(hasDeadline: boolean): void {
		const { ports, settings, reporter } = this.#desk;
		const unhealthy = unhealthyChecks(ports.healthChecks);
		const nowMs = ports.clock.nowMs();
		const wellSinceMs = unhealthy.length > 0 ? undefined : (this.#wellSinceMs ?? nowMs);
		this.#wellSinceMs = wellSinceMs;
		const verdict = judgeTrial({
			elapsedMs: nowMs - (this.#trialSinceMs ?? nowMs),
			unhealthy,
			wellMs: nowMs - (wellSinceMs ?? nowMs),
			isReported: reporter.hasBeenAccepted || this.#isVouchedFor,
			// Time in which the server itself kept reports off is not held against the release.
			deadlineMs: hasDeadline ? settings.confirmSeconds * 1000 + reporter.shedMs : undefined,
		});
		if (verdict.verdict === "wait") this.watchTrial(hasDeadline);
		else if (verdict.verdict === "confirm") this.#desk.dispatch({ name: "trial-passed" });
		else this.#desk.dispatch({ name: "trial-failed", message: verdict.message });
	}

	/** As PushTarget.confirmPush. The signature is not asked for: what runs was judged before it was written. */
	vouch(release: string, state: State): boolean {
		const { ports, ledger } = this.#desk;
		const { version, hash } = parseSignedStatement(release).statement;
		const known = ledger.state.job?.release;
		const isOther = known?.version === version && known.hash !== hash;
		if (version !== ports.device.version || isOther)
			throw new FotaError("release-unknown", `${ports.device.version} runs here, not this release`);
		if (!ports.slots.isOnTrial()) return true;
		if (state.name !== "BOOT_VERIFICATION") throw busyError(`it is in state ${state.name}`);
		if (!this.#isVouchedFor) ports.log.write("info", `${version} is vouched for from the local network`);
		this.#isVouchedFor = true;
		return false;
	}

	confirm(): void {
		this.#desk.ports.slots.confirm();
		this.#desk.dispatch({ name: "confirmed" });
	}

	/** Confirmed first: a cut in between leaves the note, and the next start finds again that there is no way back. */
	keep(ending: Ending): void {
		this.#desk.ports.slots.confirm();
		this.conclude(ending);
	}

	/** Throws `rollback-impossible` for an order; for a trial the attempt itself shows it. */
	rollBack(command: Extract<Command, { name: "roll-back" }>, facts: ReportFacts): void {
		const { left, attempt } = command;
		const { slots } = this.#desk.ports;
		if (attempt > 1) {
			this.#desk.later(ROLLBACK_REST_MS, () => this.#leave());
			return;
		}
		// Reads the whole other image, so it is asked for only where the running firmware is good enough to stay.
		if (left.orderId !== undefined && !slots.canRollBack())
			throw new FotaError("rollback-impossible", "no other valid image to go back to");
		this.#noteRollback(left);
		this.#announce(currentReport(facts), () => {
			this.#desk.calls.drop();
			this.#leave();
		});
	}

	// The reason first: after the restart it is all that is left of it. On trial the way back counts for more than its
	// reason; an order that cannot be recorded would be carried out at every start.
	#noteRollback(left: RolledBack): void {
		const { ledger, running } = this.#desk;
		const message = plainMessage(left.message);
		const note = ledger.state.rollback;
		// A note of another image is an old one: its tries are not this one's.
		const isCountedOn = note?.slot === running.label && note.version === left.version;
		const tryCount = (isCountedOn ? note.tryCount : 0) + 1;
		const change = {
			rollback: { ...left, message, slot: running.label, tryCount },
			badReleases: withBad(ledger.state, left),
			lastOrderId: Math.max(ledger.state.lastOrderId, left.orderId ?? 0),
		};
		if (left.orderId === undefined) ledger.note(change);
		else ledger.commit(change);
	}

	#leave(): void {
		try {
			this.#desk.ports.slots.rollBack();
			this.#desk.halt();
		} catch (cause) {
			const error =
				cause instanceof FotaError ? cause : new FotaError("rollback-impossible", String(cause), { cause });
			this.#desk.dispatch({ name: "failed", error });
		}
	}

	/** Never fails: what cannot be stored is reported from RAM. */
	conclude(ending: Ending): void {
		const { ledger, reporter, ports } = this.#desk;
		this.#log(ending);
		const context = { version: ports.device.version, slot: ports.slots.spare().label };
		const change = bookEnding(ledger.state, ending, context);
		if (change) ledger.note(change);
		else if (ending.kind === "failed") reporter.notice(ending.error, ending.release, ending.place);
		reporter.kick();
		this.#desk.dispatch({ name: "concluded" });
	}

	#log(ending: Ending): void {
		const { log, device } = this.#desk.ports;
		if (ending.kind === "completed") {
			log.write("info", `update ${ending.release?.version ?? device.version} confirmed`);
		} else if (ending.kind === "rolled-back") {
			log.write("warn", `update ${ending.left.version} rolled back: ${ending.left.code}`);
		} else {
			const { code, message } = ending.error;
			log.write(SECURITY_CODES.includes(code) ? "security" : "error", `${code}: ${message}`);
		}
	}
}
