// The update machine: `step(state, event)` gives the next state and at most one command, and nothing else happens here.
// The runner carries the command out through the ports and brings what came of it back as the next event, so a power
// cut falls between two commands or inside one that may be repeated. An event that does not belong to a state changes
// nothing. docs/design.md has the picture; host-tests/update/machine.test.ts has every cell of the table.
import { type ErrorCode, FotaError } from "../protocol/error-codes.js";
import { chunkCountOf } from "../protocol/manifest.js";
import type { Ending, RolledBack } from "./bookkeeping.js";
import { type Situation, type Trial, unconfirmed } from "./boot.js";
import { placeOf } from "./failure-place.js";
import type { Offer } from "./offer.js";
import type { Release } from "./persistent-state.js";
import type { Command, Event, State, StateName, Step } from "./states.js";

/** Requests in a row that bring no chunk before a download is put off. */
export const STALLS_MAX = 5;
/** Attempts at one rollback in one run of the firmware. */
export const ROLLBACK_ATTEMPTS_MAX = 3;

export const INITIAL_STATE: State = { name: "IDLE", failureCount: 0 };

export function step(state: State, event: Event): Step {
	switch (state.name) {
		case "IDLE":
			return stepIdle(state, event);
		case "CHECKING_MANIFEST":
			return stepChecking(state, event);
		case "DOWNLOADING":
			return stepDownloading(state, event);
		case "VERIFYING":
			if (event.name === "image-verified") return activate(state);
			return event.name === "failed" ? fail(state, event.error, state.release) : stay(state);
		case "WRITING":
			if (event.name === "activated") return reboot(state);
			return event.name === "failed" ? fail(state, event.error, state.release) : stay(state);
		case "REBOOTING":
			// The boot record is set: the next poll finds the image in flash and tries the restart again.
			return event.name === "failed" ? fail(state, event.error, state.release) : stay(state);
		case "BOOT_VERIFICATION":
			return stepTrial(state, event);
		case "ROLLBACK":
			return stepRollback(state, event);
		case "COMPLETED":
			return event.name === "concluded" || event.name === "failed" ? idle("first-poll", 0) : stay(state);
		case "FAILED":
			return event.name === "concluded" || event.name === "failed"
				? idle("retry", state.failureCount + 1)
				: stay(state);
	}
}

/** States that an update can fail in. */
type Failing = In<"IDLE" | "CHECKING_MANIFEST" | "DOWNLOADING" | "VERIFYING" | "WRITING" | "REBOOTING">;
type In<N extends StateName> = Extract<State, { name: N }>;

function stepIdle(state: In<"IDLE">, event: Event): Step {
	const { failureCount } = state;
	switch (event.name) {
		case "started":
			return start(event.situation);
		case "check-due":
			return go({ name: "CHECKING_MANIFEST", asks: "manifest", failureCount }, { name: "check-manifest" });
		case "order-announced":
			return go({ name: "CHECKING_MANIFEST", asks: "order", failureCount }, { name: "check-order" });
		case "pushed":
			return download(event.offer, failureCount);
		case "unheard":
			return go(state, { name: "restart-unheard" });
		case "failed":
			return fail(state, event.error, undefined);
		default:
			return stay(state);
	}
}

function start(situation: Situation): Step {
	switch (situation.kind) {
		case "idle":
			return idle("first-poll", 0);
		case "trial":
			return watch(situation.trial, true);
		case "completed":
			return complete(situation.release);
		case "reactivate": {
			const { release } = situation;
			return go({ name: "VERIFYING", release, failureCount: 0 }, { name: "verify", release });
		}
		case "failed":
			return fail({ name: "IDLE", failureCount: 0 }, situation.error, situation.release);
		case "rolled-back":
			return go(
				{ name: "ROLLBACK", left: situation.left, attempt: undefined, trial: undefined },
				{ name: "conclude", ending: { kind: "rolled-back", left: situation.left } },
			);
		case "roll-back":
			return rollBack(situation.left, situation.trial);
		case "rollback-exhausted": {
			const { left, trial } = situation;
			const error = new FotaError("rollback-impossible", "tried too often without effect");
			return rollbackFailed({ name: "ROLLBACK", left, attempt: undefined, trial }, error);
		}
	}
}

function stepChecking(state: In<"CHECKING_MANIFEST">, event: Event): Step {
	const { failureCount } = state;
	switch (event.name) {
		case "offered":
		// Whoever stands beside the device goes before a poll, whose answer no longer counts then.
		case "pushed":
			return download(event.offer, failureCount);
		// Refused or not: the poll as such went well, and the operator may have sent an order.
		case "nothing-offered":
		case "refused":
		case "put-off":
			return go({ ...state, asks: "order", isPutOff: event.name === "put-off" }, { name: "check-order" });
		case "ordered":
			return rollBack(event.left, undefined);
		case "nothing-ordered":
			return idle(state.isPutOff ? "free" : "poll", 0);
		case "check-failed":
			return shed(failureCount, event.error) ?? idle("retry", failureCount + 1);
		case "failed":
			return fail(state, event.error, undefined);
		default:
			return stay(state);
	}
}

function download(offer: Offer, failureCount: number): Step {
	return go(
		{ name: "DOWNLOADING", offer, nextChunk: undefined, stallCount: 0, failureCount },
		{ name: "open-download", offer },
	);
}

/** Codes after which fetching again at once is pointless. */
const FINAL_CODES: readonly ErrorCode[] = [
	"flash-failed",
	"storage-failed",
	"device-failed",
	"release-unknown",
];

function stepDownloading(state: In<"DOWNLOADING">, event: Event): Step {
	const { offer } = state;
	if (offer.isPushed) return stepReceiving(state, event);
	switch (event.name) {
		case "download-opened":
			return fetchFrom({ ...state, nextChunk: event.nextChunk });
		case "image-found":
			return verify(state);
		case "fetch-ended":
			return stepFetched(state, event.nextChunk, event.error);
		case "pause-over":
			return state.nextChunk === undefined ? stay(state) : fetchFrom(state);
		case "failed":
			return fail(state, event.error, offer.release);
		default:
			return stay(state);
	}
}

/** There is one try only: to send again is the sender's to decide. */
function stepReceiving(state: In<"DOWNLOADING">, event: Event): Step {
	const { offer } = state;
	switch (event.name) {
		case "download-opened":
			return go({ ...state, nextChunk: event.nextChunk }, { name: "receive", offer });
		case "push-ended":
			if (event.error === undefined) return verify(state);
			return fail({ ...state, nextChunk: event.nextChunk ?? state.nextChunk }, event.error, offer.release);
		case "failed":
			return fail(state, event.error, offer.release);
		default:
			return stay(state);
	}
}

function stepFetched(state: In<"DOWNLOADING">, nextChunk: number, error: FotaError | undefined): Step {
	const { release, chunkBytes } = state.offer;
	const isProgress = nextChunk > (state.nextChunk ?? 0);
	const next = { ...state, nextChunk, failureCount: isProgress ? 0 : state.failureCount };
	// Every chunk is verified and written: whatever the connection did afterwards does not matter.
	if (nextChunk >= chunkCountOf(release.sizeBytes, chunkBytes)) return verify(next);
	if (error === undefined && isProgress)
		return go({ ...next, stallCount: 0 }, { name: "pause", stallCount: 0 });
	const cause = error ?? new FotaError("chunk-malformed", "no chunk in the answer");
	if (FINAL_CODES.includes(cause.code)) return fail(next, cause, release);
	// What is in flash stays there: the download goes on when the server offers it again.
	const pause = shed(next.failureCount, cause);
	if (pause) return pause;
	const stallCount = isProgress ? 1 : state.stallCount + 1;
	if (stallCount <= STALLS_MAX) return go({ ...next, stallCount }, { name: "pause", stallCount });
	const message = `${STALLS_MAX} tries without a chunk; last ${cause.code}: ${cause.message}`;
	return fail(next, new FotaError("download-stalled", message, { cause }), release);
}

function fetchFrom(state: In<"DOWNLOADING">): Step {
	return go(state, { name: "fetch", offer: state.offer, first: state.nextChunk ?? 0 });
}

function verify(state: In<"DOWNLOADING">): Step {
	const { failureCount, offer } = state;
	const { release, isPushed = false } = offer;
	return go({ name: "VERIFYING", release, failureCount, isPushed }, { name: "verify", release });
}

function activate({ release, failureCount }: In<"VERIFYING">): Step {
	return go({ name: "WRITING", release, failureCount }, { name: "activate", release });
}

function reboot({ release, failureCount }: In<"WRITING">): Step {
	return go({ name: "REBOOTING", release, failureCount }, { name: "restart", release });
}

function stepTrial(state: In<"BOOT_VERIFICATION">, event: Event): Step {
	const watchOn: Command = { name: "watch-trial", hasDeadline: state.hasDeadline };
	switch (event.name) {
		case "trial-passed":
			return go(state, { name: "confirm" });
		case "confirmed":
			return complete(state.trial.release);
		case "trial-failed":
			return rollBack(unconfirmed(state.trial, event.message), state.trial);
		// A confirmation that fails is tried again every second until the deadline decides.
		case "failed":
		case "concluded":
			return go(state, watchOn);
		default:
			return stay(state);
	}
}

function stepRollback(state: In<"ROLLBACK">, event: Event): Step {
	if (state.attempt === undefined) {
		const isOver = event.name === "concluded" || event.name === "failed";
		return isOver ? idle("first-poll", 0) : stay(state);
	}
	if (event.name !== "failed") return stay(state);
	// An operator's order that cannot be stored would be carried out again after the restart: not begun at all.
	const isFinal = event.error.code === "rollback-impossible" || event.error.code === "storage-failed";
	if (isFinal || state.attempt >= ROLLBACK_ATTEMPTS_MAX) return rollbackFailed(state, event.error);
	const attempt = state.attempt + 1;
	return go({ ...state, attempt }, { name: "roll-back", left: state.left, attempt });
}

function rollBack(left: RolledBack, trial: Trial | undefined): Step {
	return go({ name: "ROLLBACK", left, attempt: 1, trial }, { name: "roll-back", left, attempt: 1 });
}

/**
 * The running firmware stays. On trial it is kept for good where there is no way back: nothing is left to protect, and only
 * a firmware that is not on trial can take a newer release. Where the way back is there but fails, the trial goes on.
 */
function rollbackFailed(state: In<"ROLLBACK">, error: FotaError): Step {
	const ending: Ending = { kind: "rollback-failed", error, orderId: state.left.orderId };
	const { trial } = state;
	const failed: State = { name: "FAILED", error, failureCount: 0 };
	if (trial === undefined) return go(failed, { name: "conclude", ending });
	if (error.code === "rollback-impossible") return go(failed, { name: "keep", ending });
	return go({ name: "BOOT_VERIFICATION", trial, hasDeadline: false }, { name: "conclude", ending });
}

function watch(trial: Trial, hasDeadline: boolean): Step {
	return go({ name: "BOOT_VERIFICATION", trial, hasDeadline }, { name: "watch-trial", hasDeadline });
}

function complete(release: Release | undefined): Step {
	return go({ name: "COMPLETED", release }, { name: "conclude", ending: { kind: "completed", release } });
}

function fail(state: Failing, error: FotaError, release: Release | undefined): Step {
	const { failureCount } = state;
	const isPushed = "isPushed" in state && state.isPushed === true;
	return go(
		{ name: "FAILED", error, failureCount },
		{ name: "conclude", ending: { kind: "failed", error, release, isPushed, place: placeOf(state) } },
	);
}

function idle(until: Extract<Command, { name: "wait" }>["until"], failureCount: number): Step {
	return go({ name: "IDLE", failureCount }, { name: "wait", until, failureCount });
}

/** The server asked to come again later: no failure, but the more often it does, the longer. Undefined for all that is one. */
function shed(before: number, { retryAfterSeconds }: FotaError): Step | undefined {
	if (retryAfterSeconds === undefined) return undefined;
	const failureCount = before + 1;
	return go({ name: "IDLE", failureCount }, { name: "wait", until: "shed", failureCount, retryAfterSeconds });
}

function go(state: State, command: Command): Step {
	return { state, command };
}

function stay(state: State): Step {
	return { state, command: undefined };
}
