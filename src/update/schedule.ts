// How long to wait: pure functions of a random source. Used by the runner and the reporter. Jitter keeps a fleet that
// starts together from asking together; back-off keeps a server in trouble from being pressed; every wait has an end.
import type { Settings } from "../protocol/identity.js";
import type { Random } from "./ports.js";
import type { Command } from "./states.js";

const BACKOFF_BASE_MS = 5000;
const BACKOFF_CAP_MS = 60_000;
const STALL_BASE_MS = 1000;

/**
 * Threat: whoever answers in the server's place, for the header has no MAC, silences a device for good. So a pause is about
 * what it would have been silent by itself, and at most this before chance adds to it; nobody gains more by it than by
 * answering nothing at all.
 */
const SHED_CAP_SECONDS = 3600;
/** A server that says the same few seconds to everyone, again and again, is pressed less and less: up to this. */
const SHED_BACKOFF_CAP_SECONDS = 600;
/** Of a pause that the server asked for, half of it and at least this is added by chance. */
const SHED_SPREAD_MIN_MS = 5000;

/**
 * A device that has asked in vain for so long restarts: a radio or network stack that hangs is cured by nothing else. Rare
 * enough for one whose network is gone for weeks.
 */
export const UNHEARD_HOURS = 24;

/** Until the server is asked again. */
export function waitMs(
	command: Extract<Command, { name: "wait" }>,
	pollSeconds: number,
	random: Random,
): number {
	switch (command.until) {
		case "first-poll":
			return firstPollDelayMs(pollSeconds, random);
		case "poll":
			return pollDelayMs(pollSeconds, random);
		case "free":
			return busyDelayMs(random);
		case "shed":
			return Math.max(
				shedDelayMs(command.retryAfterSeconds ?? 0, pollSeconds, random),
				shedBackoffMs(command.failureCount, pollSeconds, random),
			);
		case "retry":
			return backoffDelayMs(command.failureCount, pollSeconds, random);
	}
}

/** The regular poll: ±10 %. */
export function pollDelayMs(pollSeconds: number, random: Random): number {
	return spread(pollSeconds * 1000, 0.1, random);
}

/** The first poll, 1 to 5 s after the start. */
export function firstPollDelayMs(pollSeconds: number, random: Random): number {
	return 1000 + random.below(Math.max(1, Math.min(4000, pollSeconds * 1000)));
}

/** Until a busy application is asked again: 30 s, ±20 %. */
export function busyDelayMs(random: Random): number {
	return spread(30_000, 0.2, random);
}

/**
 * Until a server that sheds load is asked the same again: what it said, at most `capSeconds` and an hour, at least 5 s, and by
 * chance up to half as much again, or 5 s. Never less: those it sheds at one moment must not come back at one.
 */
export function shedDelayMs(retryAfterSeconds: number, capSeconds: number, random: Random): number {
	const saidMs = Math.min(retryAfterSeconds, capSeconds, SHED_CAP_SECONDS) * 1000;
	// A word of 0 must not make it ask without rest.
	const pauseMs = Math.max(BACKOFF_BASE_MS, saidMs);
	return pauseMs + random.below(Math.max(SHED_SPREAD_MIN_MS, Math.floor(pauseMs / 2)) + 1);
}

/** At least, when it is the n-th time in a row. */
function shedBackoffMs(count: number, pollSeconds: number, random: Random): number {
	return backoffDelayMs(count, Math.min(pollSeconds, SHED_BACKOFF_CAP_SECONDS), random);
}

/** After the n-th failure in a row (from 1): 5 s · 2^(n−1), ±20 %, up to the poll interval but at least a minute. */
export function backoffDelayMs(failureCount: number, pollSeconds: number, random: Random): number {
	const capMs = Math.max(BACKOFF_CAP_MS, pollSeconds * 1000);
	return spread(Math.min(capMs, doubled(BACKOFF_BASE_MS, failureCount)), 0.2, random);
}

export interface ReportPace {
	readonly isOnTrial: boolean;
	readonly settings: Pick<Settings, "pollSeconds" | "confirmSeconds">;
	readonly random: Random;
}

/** After the n-th report in a row that was not accepted. On trial the deadline is near, so never more than 15 s. */
export function reportDelayMs({ isOnTrial, settings, random }: ReportPace, failureCount: number): number {
	if (isOnTrial) return spread(Math.min(15_000, doubled(2000, failureCount)), 0.2, random);
	return backoffDelayMs(failureCount, settings.pollSeconds, random);
}

/**
 * After the n-th report in a row that a server which sheds load did not take. On trial it is granted a quarter of the time in which a report
 * must be accepted. Threat: a pause that outlasts the trial has a good firmware rolled back.
 */
export function reportShedDelayMs(pace: ReportPace, retryAfterSeconds: number, failureCount: number): number {
	const { isOnTrial, settings, random } = pace;
	const { confirmSeconds, pollSeconds } = settings;
	if (isOnTrial) return shedDelayMs(retryAfterSeconds, Math.floor(confirmSeconds / 4), random);
	const saidMs = shedDelayMs(retryAfterSeconds, pollSeconds, random);
	return Math.max(saidMs, shedBackoffMs(failureCount, pollSeconds, random));
}

/** After the n-th request in a row that brought no chunk: 1 s · 2^(n−1), ±20 %, up to a minute. */
export function stallDelayMs(stallCount: number, random: Random): number {
	return spread(Math.min(BACKOFF_CAP_MS, doubled(STALL_BASE_MS, stallCount)), 0.2, random);
}

function doubled(baseMs: number, count: number): number {
	return baseMs * 2 ** Math.min(20, Math.max(0, count - 1));
}

function spread(middleMs: number, share: number, random: Random): number {
	const reachMs = Math.floor(middleMs * share);
	return middleMs - reachMs + random.below(2 * reachMs + 1);
}
