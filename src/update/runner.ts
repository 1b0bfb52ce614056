// Carries out what the machine asks for, through the ports, and feeds back what came of it. Called by the composition
// root. It decides nothing about the update: an `if` on what to do next belongs into machine.ts.
//
// Every callback from a timer or the cloud enters through #guard, so nothing thrown reaches native code. What a command
// throws becomes the event "failed"; the machine knows for each state what that means.

import type { FotaError } from "../protocol/error-codes.js";
import type { Settings } from "../protocol/identity.js";
import type { StatusAnswer, StatusReport } from "../protocol/status-report.js";
import { judgeBoot, type Situation } from "./boot.js";
import { carryOut, type Parts } from "./carry-out.js";
import { CloudCalls } from "./cloud-calls.js";
import type { Desk } from "./desk.js";
import { bootFacts, reportFacts } from "./facts.js";
import { busyError, toFotaError } from "./fault.js";
import { Installer } from "./installer.js";
import { Ledger } from "./ledger.js";
import { stateLine } from "./log-lines.js";
import { INITIAL_STATE, step } from "./machine.js";
import { tellObservers } from "./observers.js";
import { Poller } from "./poller.js";
import type { Ports, PushListener, PushOffer, PushSink, SlotInfo, TimerId } from "./ports.js";
import { PushIntake } from "./push-intake.js";
import { Reporter } from "./reporter.js";
import { currentReport, type ReportFacts } from "./reports.js";
import type { Command, Event, State, StateName } from "./states.js";
import { Supervisor } from "./supervisor.js";
import type { Updater } from "./updater.js";

/** Steps in one turn; more is a fault that would never end. */
const STEPS_MAX = 50;
/** Rest after such a fault. */
const FAULT_REST_MS = 60_000;

export function createUpdater(ports: Ports, settings: Settings): Updater {
	return new Runner(ports, settings);
}

/** Waits longer than this hold no connection. */
const KEEP_CONNECTED_MS = 1000;

class Runner implements Updater, Desk {
	readonly ports: Ports;
	readonly settings: Settings;
	readonly calls: CloudCalls;
	readonly ledger: Ledger;
	readonly reporter: Reporter;
	readonly #parts: Parts;
	#running: SlotInfo | undefined;
	#state: State = INITIAL_STATE;
	/** The state that was logged last; none before the start. */
	#shown: StateName | undefined;
	#events: Event[] = [];
	#isStepping = false;
	/** Counts commands, so that an answer to an earlier one is not taken for one to the present. */
	#turn = 0;
	#mainTimer: TimerId;
	#isWaiting = false;
	/** What the return of the network makes due now; a step that has begun since makes it nothing. */
	#awaitsNetwork: (() => void) | undefined;
	#isOrderAnnounced = false;
	#isStarted = false;
	/** The start was judged: what came before it is booked. */
	#isJudged = false;
	#isStartReported = false;
	#isStopped = false;

	constructor(ports: Ports, settings: Settings) {
		this.ports = ports;
		this.settings = settings;
		const { cloud, timer, log, store } = ports;
		const guard = (work: () => void) => this.guard(work);
		this.calls = new CloudCalls({ cloud, timer, guard });
		this.ledger = new Ledger(store, log);
		this.reporter = new Reporter({
			calls: this.calls,
			timer,
			guard,
			log,
			ledger: this.ledger,
			facts: (areSlotsWanted) => this.#facts(areSlotsWanted),
			pace: () => ({ isOnTrial: this.#state.name === "BOOT_VERIFICATION", settings, random: ports.random }),
			onAccepted: (answer) => this.#reportAccepted(answer),
		});
		this.#parts = {
			poller: new Poller(this),
			installer: new Installer(this),
			pushes: new PushIntake(this),
			supervisor: new Supervisor(this),
		};
	}

	get state(): StateName {
		return this.#state.name;
	}

	/** Throws `flash-failed` when the boot records cannot be read. */
	get running(): SlotInfo {
		this.#running ??= this.ports.slots.running();
		return this.#running;
	}

	start(): void {
		if (this.#isStarted || this.#isStopped) return;
		this.#isStarted = true;
		this.guard(() => this.#judge());
	}

	checkNow(): void {
		this.guard(() => this.dispatch({ name: "check-due" }));
	}

	networkUp(): void {
		this.guard(() => {
			this.reporter.kickNow();
			this.#awaitsNetwork?.();
		});
	}

	offerPush(offer: PushOffer, listener: PushListener): PushSink {
		if (!this.#isJudged || this.#isStopped) throw busyError("it is starting or stopping");
		return this.#parts.pushes.offer(offer, listener, this.#state);
	}

	confirmPush(release: string): boolean {
		if (!this.#isJudged || this.#isStopped) throw busyError("it is starting or stopping");
		return this.#parts.supervisor.vouch(release, this.#state);
	}

	notePush(error: FotaError): void {
		this.guard(() => {
			this.ports.log.write("security", `${error.code}: ${error.message}`);
			this.reporter.notice(error, undefined);
		});
	}

	report(): StatusReport {
		return currentReport(this.#facts());
	}

	stop(): void {
		this.guard(() => {
			this.halt();
			this.calls.close();
		});
	}

	halt(): void {
		this.#isStopped = true;
		this.#turn++;
		this.#events = [];
		this.ports.timer.clear(this.#mainTimer);
		this.reporter.stop();
	}

	/** Before the start was judged nothing else counts: a poll would take the place of the judgement that is to come. */
	dispatch(event: Event): void {
		if (this.#isStopped || !this.#isJudged) return;
		this.#events.push(event);
		if (this.#isStepping) return;
		this.#isStepping = true;
		try {
			this.#runEvents();
		} finally {
			this.#isStepping = false;
		}
	}

	later(delayMs: number, work: () => void, isForNetwork = false): void {
		const { timer } = this.ports;
		timer.clear(this.#mainTimer);
		const guarded = this.only(work);
		this.#mainTimer = timer.set(() => this.guard(guarded), delayMs);
		this.#isWaiting = delayMs >= KEEP_CONNECTED_MS;
		this.#awaitsNetwork = isForNetwork ? guarded : undefined;
	}

	only<A extends unknown[]>(work: (...values: A) => void): (...values: A) => void {
		const turn = this.#turn;
		return (...values) => {
			if (turn !== this.#turn || this.#isStopped) return;
			this.#isWaiting = false;
			work(...values);
		};
	}

	#runEvents(): void {
		for (let count = 0; count < STEPS_MAX; count++) {
			const event = this.#events.shift();
			if (event === undefined || this.#isStopped) return;
			const { state, command } = step(this.#state, event);
			this.#state = state;
			if (state.name !== this.#shown) this.#entered(state);
			if (command) this.#begin(command);
		}
		this.#rest();
	}

	#begin(command: Command): void {
		this.#turn++;
		this.ports.timer.clear(this.#mainTimer);
		this.#isWaiting = false;
		try {
			carryOut(this.#parts, command, () => this.#facts());
			if (command.name === "wait") this.#passOnOrder();
		} catch (cause) {
			this.#events.push({ name: "failed", error: toFotaError(cause) });
		}
	}

	/** An order that was announced while something else was under way. */
	#passOnOrder(): void {
		if (!this.#isOrderAnnounced) return;
		this.#isOrderAnnounced = false;
		this.dispatch({ name: "order-announced" });
	}

	#entered(state: State): void {
		const { log, device } = this.ports;
		this.#shown = state.name;
		log.write(state.name === "FAILED" ? "warn" : "info", stateLine(state));
		this.#parts.pushes.stateEntered(state);
		tellObservers(this.ports, { state: state.name, percent: 0 });
		if (state.name === "DOWNLOADING") this.reporter.startProgress(this.settings.reportSeconds * 1000);
		else this.reporter.stopProgress();
		if (state.name === "COMPLETED" || state.name === "FAILED") this.reporter.slotsMoved();
		if (state.name === "IDLE") {
			this.#parts.installer.rest();
			log.write("info", `idle, running ${device.version} in ${this.running.label}`);
		}
	}

	#reportAccepted(answer: StatusAnswer): void {
		if (!answer.isRollbackPending) return;
		if (this.#isJudged && this.#state.name === "IDLE") this.dispatch({ name: "order-announced" });
		else this.#isOrderAnnounced = true;
	}

	#facts(areSlotsWanted = false): ReportFacts {
		const { installer, pushes } = this.#parts;
		const state = this.#state;
		const isPushed = state.name === "DOWNLOADING" && state.offer.isPushed;
		const { nextChunk } = isPushed ? pushes : installer;
		return reportFacts(this, { state, nextChunk, areSlotsWanted });
	}

	/** The edge: whatever a callback throws becomes an event, and the sockets are freed once nobody needs them. */
	guard(work: () => void): void {
		if (this.#isStopped) return;
		try {
			try {
				work();
			} catch (cause) {
				const error = toFotaError(cause);
				this.ports.log.write("error", `${error.code}: ${error.message}`);
				this.dispatch({ name: "failed", error });
			}
			if (this.#isWaiting && !this.#isStopped) this.calls.release();
		} catch {
			// A fault in handling a fault: log and timer themselves may be what fails.
			this.#rest();
		}
	}

	#rest(): void {
		this.#events = [];
		this.#state = INITIAL_STATE;
		this.#isJudged = false;
		this.#turn++;
		this.ports.timer.clear(this.#mainTimer);
		this.#mainTimer = this.ports.timer.set(() => this.guard(() => this.#judge()), FAULT_REST_MS);
		this.#parts.pushes.stateEntered(INITIAL_STATE);
	}

	/** Judged until it can be: on trial this must end in the trial, never in a poll. */
	#judge(): void {
		let situation: Situation;
		try {
			situation = judgeBoot(bootFacts(this));
		} catch (cause) {
			const { code, message } = toFotaError(cause);
			this.ports.log.write("error", `${code}: ${message}`);
			this.#rest();
			return;
		}
		this.#isJudged = true;
		this.dispatch({ name: "started", situation });
		if (this.#isStartReported) return;
		this.#isStartReported = true;
		this.#parts.supervisor.reportStart();
	}
}
