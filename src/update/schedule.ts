// How long to wait: pure functions of a random source. Used by the runner and the reporter. Jitter keeps a fleet that
// starts together from asking together; back-off keeps a server in trouble from being pressed; every wait has an end.
import type { Random } from "./ports.js";
import type { Command } from "./states.js";

const BACKOFF_BASE_MS = 5000;
const BACKOFF_CAP_MS = 60_000;
const STALL_BASE_MS = 1000;

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

/** After the n-th failure in a row (from 1): 5 s · 2^(n−1), ±20 %, up to the poll interval but at least a minute. */
export function backoffDelayMs(failureCount: number, pollSeconds: number, random: Random): number {
	const capMs = Math.max(BACKOFF_CAP_MS, pollSeconds * 1000);
	return spread(Math.min(capMs, doubled(BACKOFF_BASE_MS, failureCount)), 0.2, random);
}

/** Between reports that were not accepted, while on trial: the deadline is near, so never more than 15 s. */
export function trialReportDelayMs(failureCount: number, random: Random): number {
	return spread(Math.min(15_000, doubled(2000, failureCount)), 0.2, random);
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
