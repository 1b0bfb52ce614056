// What the persistent state becomes when an update ends: pure, used by the runner's "conclude" and by nothing else.
import type { ErrorCode, FotaError } from "../protocol/error-codes.js";
import type { FailurePlace } from "./failure-place.js";
import { plainMessage } from "./fault.js";
import {
	BAD_RELEASES_MAX,
	type BadRelease,
	type Job,
	OUTCOMES_MAX,
	type PendingOutcome,
	type PersistentState,
	type Release,
	type RollbackNote,
} from "./persistent-state.js";

/** Downloads from scratch of one release before it is given up. */
export const TRIES_MAX = 3;
/** Settings of the boot record for one release before it is given up; power cuts use them up as well. */
export const ACTIVATIONS_MAX = 5;

/** What left the running state of affairs: a release and why. */
export type RolledBack = Omit<RollbackNote, "slot" | "tryCount">;

export type Ending =
	| { readonly kind: "completed"; readonly release: Release | undefined }
	| {
			readonly kind: "failed";
			readonly error: FotaError;
			readonly release: Release | undefined;
			readonly isPushed?: boolean;
			readonly place?: FailurePlace | undefined;
	  }
	| { readonly kind: "rolled-back"; readonly left: RolledBack }
	/** The running firmware was to be left and could not be. */
	| { readonly kind: "rollback-failed"; readonly error: FotaError; readonly orderId: number | undefined };

export interface EndingContext {
	/** Of the running firmware. */
	readonly version: string;
	/** Where the release was written. */
	readonly slot: string;
}

/** Undefined when nothing of it needs to survive a reset: then it is reported from RAM. */
export function bookEnding(
	state: PersistentState,
	ending: Ending,
	context: EndingContext,
): Partial<PersistentState> | undefined {
	switch (ending.kind) {
		case "completed":
			return bookCompleted(state, ending.release, context);
		case "rolled-back":
			return bookRolledBack(state, ending.left);
		case "rollback-failed":
			return {
				rollback: undefined,
				lastOrderId: Math.max(state.lastOrderId, ending.orderId ?? 0),
				outcomes: appended(state, {
					...failure(ending.error, context.version, undefined),
					orderId: ending.orderId,
				}),
			};
		case "failed":
			return ending.release === undefined
				? undefined
				: bookFailed(state, ending, ending.release, context.slot);
	}
}

function bookCompleted(
	state: PersistentState,
	release: Release | undefined,
	context: EndingContext,
): Partial<PersistentState> {
	return {
		job: undefined,
		rollback: undefined,
		installed: release ?? state.installed,
		// Only a confirmed release raises it: one that fails its trial must leave the way to older ones open.
		securityVersion: Math.max(state.securityVersion, release?.securityVersion ?? 0),
		outcomes: appended(state, {
			kind: "completed",
			version: release?.version ?? context.version,
			hash: release?.hash,
			code: undefined,
			message: "confirmed",
			orderId: undefined,
		}),
	};
}

function bookRolledBack(state: PersistentState, left: RolledBack): Partial<PersistentState> {
	return {
		job: undefined,
		rollback: undefined,
		installed: undefined,
		badReleases: withBad(state, left),
		lastOrderId: Math.max(state.lastOrderId, left.orderId ?? 0),
		outcomes: appended(state, {
			kind: "rolled-back",
			version: left.version,
			hash: left.hash,
			code: left.code,
			message: plainMessage(left.message),
			orderId: left.orderId,
		}),
	};
}

function bookFailed(
	state: PersistentState,
	ending: Extract<Ending, { kind: "failed" }>,
	release: Release,
	slot: string,
): Partial<PersistentState> | undefined {
	const { error, isPushed } = ending;
	const job = jobFor(state, release, slot);
	const outcomes = appended(state, { ...failure(error, release.version, release.hash), ...ending.place });
	switch (error.code) {
		case "hash-mismatch":
		case "flash-failed": {
			// Threat: a pushed image has no MAC of its own; whoever alters it on the way must not have the release banned.
			const tryCount = isPushed && error.code === "hash-mismatch" ? job.tryCount : job.tryCount + 1;
			if (tryCount >= TRIES_MAX) break;
			return { job: { ...job, phase: "download", erasedBytes: 0, tryCount }, outcomes };
		}
		case "activate-failed":
			if (job.activationCount >= ACTIVATIONS_MAX) break;
			return undefined;
		case "image-invalid":
		case "chip-mismatch":
			break;
		default:
			return undefined;
	}
	return { job: undefined, badReleases: withBad(state, { ...release, code: error.code }), outcomes };
}

/** The job of this release in this slot, or a new one of which nothing is in flash. */
export function jobFor(state: PersistentState, release: Release, slot: string): Job {
	const { job } = state;
	const isSame =
		job?.slot === slot && job.release.hash === release.hash && job.release.sizeBytes === release.sizeBytes;
	// Signed anew: the operator has looked at it, so it has all its tries again.
	if (job && isSame && release.releasedAt > job.release.releasedAt)
		return { ...job, release, tryCount: 0, activationCount: 0 };
	if (job && isSame) return job;
	return { release, slot, phase: "download", erasedBytes: 0, tryCount: 0, activationCount: 0 };
}

function failure(error: FotaError, version: string, hash: string | undefined): PendingOutcome {
	return {
		kind: "failed",
		version,
		hash,
		code: error.code,
		message: plainMessage(error.message),
		orderId: undefined,
	};
}

/** Appended, unless it says what the last one says. The oldest goes when the list is full. */
function appended(state: PersistentState, outcome: PendingOutcome): readonly PendingOutcome[] {
	const last = state.outcomes.at(-1);
	if (last && JSON.stringify(last) === JSON.stringify(outcome)) return state.outcomes;
	return [...state.outcomes, outcome].slice(-OUTCOMES_MAX);
}

/** The list with this release in it, once, as the newest. */
export function withBad(
	state: PersistentState,
	bad: { version: string; hash: string | undefined; releasedAt: number; code: ErrorCode },
): readonly BadRelease[] {
	const { version, hash, releasedAt, code } = bad;
	const others = state.badReleases.filter((item) =>
		hash === undefined ? item.version !== version : item.hash !== hash,
	);
	return [...others, { version, hash, releasedAt, code }].slice(-BAD_RELEASES_MAX);
}
