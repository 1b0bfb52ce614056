// Which report goes next, one at a time, beside the update itself: it never holds the update up. What must arrive
// (start-up, outcomes, notices) is kept until the server has accepted it, with back-off; what is only of the moment
// (started, progress) is sent once or not at all. Used by the runner. What a report says is in reports.ts.
import type { ErrorCode, FotaError } from "../protocol/error-codes.js";
import type { StatusAnswer, StatusReport } from "../protocol/status-report.js";
import type { CloudCalls, Guard } from "./cloud-calls.js";
import type { Ledger } from "./ledger.js";
import { shedLine } from "./log-lines.js";
import type { Log, Outcome, Timer } from "./ports.js";
import { currentReport, type Notice, noticeReport, outcomeReport, type ReportFacts } from "./reports.js";
import { type ReportPace, reportDelayMs, reportShedDelayMs } from "./schedule.js";

/** Notices kept in RAM; the oldest goes first. */
const NOTICES_MAX = 4;

/** Of a server that sheds load, where its answer had a MAC. */
const AUTHENTIC_CODES: readonly ErrorCode[] = ["rate-limited", "server-unavailable"];
/** Bound on what such pauses add to a trial. */
const SHED_MAX_MS = 3_600_000;

export interface ReporterOptions {
	readonly calls: CloudCalls;
	readonly timer: Timer;
	readonly guard: Guard;
	readonly log: Log;
	readonly ledger: Ledger;
	/** What the slots hold among them, where that is wanted. */
	readonly facts: (areSlotsWanted: boolean) => ReportFacts;
	/** For the waits behind reports that were not accepted. */
	readonly pace: () => ReportPace;
	readonly onAccepted: (answer: StatusAnswer) => void;
}

interface Delivery {
	readonly report: StatusReport;
	/** Takes it off what is due. */
	readonly accepted: () => void;
	/** False: not worth a second try. */
	readonly isKept: boolean;
	/** Line of the log when the server has it. */
	readonly toldLine?: string;
}

export class Reporter {
	readonly #options: ReporterOptions;
	#isBusy = false;
	#hasBeenAccepted = false;
	#isBootDue = false;
	#isUpdateDue = false;
	/** The server does not know what the slots hold now. */
	#areSlotsDue = true;
	#notices: readonly Notice[] = [];
	#urgent: { readonly report: StatusReport; readonly done: () => void } | undefined;
	#failureCount = 0;
	#retry: unknown;
	/** That wait is one the server asked for: nothing shortens it. */
	#isShed = false;
	#shedMs = 0;
	#progressTimer: unknown;
	#isStopped = false;

	constructor(options: ReporterOptions) {
		this.#options = options;
	}

	/** The server has accepted a report since this start. */
	get hasBeenAccepted(): boolean {
		return this.#hasBeenAccepted;
	}

	/** How long reports have waited since this start because the server, certainly the server, asked for it. */
	get shedMs(): number {
		return this.#shedMs;
	}

	/** The start-up report. */
	boot(): void {
		this.#isBootDue = true;
		this.kick();
	}

	/** The state of the moment, once, as soon as nothing else is under way. */
	update(): void {
		this.#isUpdateDue = true;
		this.kick();
	}

	/** As update, but skipped when a report is under way or the server does not answer. */
	progress(): void {
		if (!this.#isBusy && this.#retry === undefined) this.update();
	}

	/** Progress, every `everyMs` until stopProgress. */
	startProgress(everyMs: number): void {
		const { timer, guard } = this.#options;
		this.stopProgress();
		this.#progressTimer = timer.set(
			() =>
				guard(() => {
					this.progress();
					this.startProgress(everyMs);
				}),
			everyMs,
		);
	}

	stopProgress(): void {
		this.#options.timer.clear(this.#progressTimer);
		this.#progressTimer = undefined;
	}

	/** Something that went wrong without ending an update; once while it waits to be sent. */
	notice(error: FotaError, release: Notice["release"], place?: Notice["place"]): void {
		const isKnown = this.#notices.some(
			(item) => item.error.code === error.code && item.release?.hash === release?.hash,
		);
		if (!isKnown) this.#notices = [...this.#notices, { error, release, place }].slice(-NOTICES_MAX);
		this.kick();
	}

	/**
	 * Next of all, without waiting for a back-off. `done` is called when it was accepted or failed; later, too, where the
	 * server has asked for a pause, which it is not worth breaking.
	 */
	urgent(report: StatusReport, done: () => void): void {
		const { timer, guard } = this.#options;
		if (this.#isShed) {
			timer.set(() => guard(done), 0);
			return;
		}
		this.#urgent = { report, done };
		this.#isUpdateDue = false;
		this.#send();
	}

	/** The slots hold something else than was told: the next report says it. */
	slotsMoved(): void {
		this.#areSlotsDue = true;
	}

	/** Sends what is due, unless a back-off runs. */
	kick(): void {
		if (this.#retry === undefined) this.#send();
	}

	/** The server was just reached: no use in waiting any longer. */
	kickNow(): void {
		if (this.#isShed) return;
		this.#clearRetry();
		this.#send();
	}

	stop(): void {
		this.#isStopped = true;
		this.#clearRetry();
		this.stopProgress();
	}

	#send(): void {
		if (this.#isBusy || this.#isStopped) return;
		const delivery = this.#next();
		if (delivery === undefined) return;
		this.#isBusy = true;
		if (delivery.report.slots !== undefined) this.#areSlotsDue = false;
		this.#options.calls.report(delivery.report, (outcome) => this.#sent(delivery, outcome));
	}

	#next(): Delivery | undefined {
		if (this.#urgent) {
			const { report, done } = this.#urgent;
			this.#urgent = undefined;
			return { report, accepted: done, isKept: false };
		}
		return this.#nextOutcome() ?? this.#nextKept() ?? this.#nextUpdate();
	}

	#nextOutcome(): Delivery | undefined {
		const { ledger } = this.#options;
		const outcome = ledger.state.outcomes[0];
		if (outcome === undefined) return undefined;
		const accepted = () => {
			ledger.note({ outcomes: ledger.state.outcomes.filter((item) => item !== outcome) });
		};
		const toldLine = `the server knows: ${outcome.version} ${outcome.kind}`;
		return { report: outcomeReport(this.#facts(), outcome), accepted, isKept: true, toldLine };
	}

	#nextKept(): Delivery | undefined {
		if (this.#isBootDue) {
			const accepted = () => {
				this.#isBootDue = false;
			};
			return { report: currentReport(this.#facts()), accepted, isKept: true };
		}
		const notice = this.#notices[0];
		if (notice === undefined) return undefined;
		const accepted = () => {
			this.#notices = this.#notices.filter((item) => item !== notice);
		};
		return { report: noticeReport(this.#facts(), notice), accepted, isKept: true };
	}

	#nextUpdate(): Delivery | undefined {
		if (!this.#isUpdateDue) return undefined;
		this.#isUpdateDue = false;
		return { report: currentReport(this.#facts()), accepted: () => {}, isKept: false };
	}

	#facts(): ReportFacts {
		return this.#options.facts(this.#areSlotsDue);
	}

	#sent(delivery: Delivery, outcome: Outcome<StatusAnswer>): void {
		this.#isBusy = false;
		if (this.#isStopped) return;
		if (outcome.error === undefined) {
			this.#failureCount = 0;
			this.#hasBeenAccepted = true;
			delivery.accepted();
			if (delivery.toldLine) this.#options.log.write("info", delivery.toldLine);
			this.#options.onAccepted(outcome.value);
			this.kick();
			return;
		}
		this.#failed(delivery, outcome.error);
	}

	#failed(delivery: Delivery, error: FotaError): void {
		const { log, pace } = this.#options;
		const isRefused = error.code === "request-malformed";
		if (delivery.report.slots !== undefined && !isRefused) this.#areSlotsDue = true;
		// Refused for the slots, perhaps: once more without them.
		if (delivery.report.slots !== undefined && isRefused && delivery.isKept) {
			log.write("error", `report refused, goes without slots: ${error.message}`);
			this.kick();
			return;
		}
		if (error.retryAfterSeconds !== undefined) {
			this.#shed(delivery, error, error.retryAfterSeconds);
			return;
		}
		if (!delivery.isKept) {
			// An urgent one: whoever waits for it goes on.
			delivery.accepted();
			log.write("warn", `report not accepted: ${error.code}: ${error.message}`);
			this.kick();
			return;
		}
		if (isRefused) {
			// The server does not understand it and never will; kept, it would hold back every report behind it.
			delivery.accepted();
			log.write("error", `report refused, not sent again: ${error.message}`);
			this.kick();
			return;
		}
		const waitMs = reportDelayMs(pace(), ++this.#failureCount);
		const seconds = Math.round(waitMs / 1000);
		log.write("warn", `report not accepted, again in ${seconds} s: ${error.code}: ${error.message}`);
		this.#retryIn(waitMs);
		if (this.#urgent) this.#send();
	}

	/** No failure: what is kept goes later, and nothing goes before. */
	#shed(delivery: Delivery, error: FotaError, retryAfterSeconds: number): void {
		const { log, pace } = this.#options;
		const waitMs = reportShedDelayMs(pace(), retryAfterSeconds, ++this.#failureCount);
		log.write("info", `report: ${shedLine(error)}`);
		if (!delivery.isKept) delivery.accepted();
		this.#urgent?.done();
		this.#urgent = undefined;
		this.#isShed = true;
		// Threat: whoever answers in the server's place draws a bad firmware's trial out. A problem with a MAC is its own.
		if (AUTHENTIC_CODES.includes(error.code)) this.#shedMs = Math.min(SHED_MAX_MS, this.#shedMs + waitMs);
		this.#retryIn(waitMs);
	}

	#retryIn(waitMs: number): void {
		const { timer, guard } = this.#options;
		timer.clear(this.#retry);
		this.#retry = timer.set(
			() =>
				guard(() => {
					this.#retry = undefined;
					this.#isShed = false;
					this.#send();
				}),
			waitMs,
		);
	}

	#clearRetry(): void {
		if (this.#retry !== undefined) this.#options.timer.clear(this.#retry);
		this.#retry = undefined;
	}
}
