// Security events of requests that were refused: whoever causes them can cause them again and again. Their number is
// bounded, or an attacker could fill the disk with them; how many were left out is told with the next one of the kind.
import type { FastifyBaseLogger } from "fastify";
import { announce } from "../announce.js";
import type { SecurityEvent } from "../domain/event.js";
import { appendEvents } from "../stores/event-store.js";
import type { Records } from "../stores/tables.js";

export interface RefusalLog {
	/**
	 * Writes the event unless there were too many of its kind in this minute. Never throws.
	 *
	 * Threat: noise of one kind that hides events of another. So each type is counted by itself, and `kind` (default: the
	 * type) tells apart what of one type strangers and holders of a credential can cause, or strangers more or less easily.
	 * Threat: one who makes it hides others of the kind. So a `source` has but a share of it: who proved to be somebody is
	 * that device or user, a stranger the address.
	 */
	note(event: SecurityEvent, source: string, kind?: RefusalKind): Promise<void>;
}

/** A fixed set: each has a count in memory. */
export type RefusalKind = SecurityEvent["type"] | "refresh-token-unknown" | "current-password-wrong";

/** Of each kind. */
export const REFUSALS_PER_MINUTE = 60;
/** Of each source, within its kind. */
export const REFUSALS_PER_SOURCE = 20;
const MINUTE_MS = 60_000;

export interface RefusalLogOptions {
	readonly db: Records;
	readonly log: FastifyBaseLogger;
	readonly nowMs: () => number;
}

export function createRefusalLog({ db, log, nowMs }: RefusalLogOptions): RefusalLog {
	const budgets = new Map<RefusalKind, Budget>();
	const budgetOf = (kind: RefusalKind) => {
		const budget = budgets.get(kind) ?? createBudget();
		budgets.set(kind, budget);
		return budget;
	};
	return {
		async note(event, source, kind = event.type) {
			const leftOutCount = budgetOf(kind).take(source, nowMs());
			if (leftOutCount === undefined) return;
			const details = leftOutCount > 0 ? { ...event.details, left_out: leftOutCount } : event.details;
			const events = [{ ...event, details }];
			announce(log, events);
			try {
				await appendEvents(db, events, nowMs());
			} catch (error) {
				// The refusal stands whether or not it can be written down.
				log.error({ err: error, event: event.type }, "security event not recorded");
			}
		},
	};
}

interface Budget {
	/** How many were left out since the last one that was written; undefined: this one is left out as well. */
	take(source: string, nowMs: number): number | undefined;
}

function createBudget(): Budget {
	let minuteStartMs = Number.NEGATIVE_INFINITY;
	let count = 0;
	/** Of those that were written: no more than there may be of the kind. */
	const sourceCounts = new Map<string, number>();
	let leftOutCount = 0;
	return {
		take(source, nowMs) {
			if (Math.abs(nowMs - minuteStartMs) >= MINUTE_MS) {
				minuteStartMs = nowMs;
				count = 0;
				sourceCounts.clear();
			}
			const sourceCount = sourceCounts.get(source) ?? 0;
			if (count >= REFUSALS_PER_MINUTE || sourceCount >= REFUSALS_PER_SOURCE) {
				leftOutCount++;
				return undefined;
			}
			count++;
			sourceCounts.set(source, sourceCount + 1);
			const told = leftOutCount;
			leftOutCount = 0;
			return told;
		},
	};
}
