// Security events that anybody can cause without a credential. Their number is bounded, or an attacker could fill the
// disk with them; how many were left out is told with the next one.
import type { FastifyBaseLogger } from "fastify";
import { announce } from "../announce.js";
import type { SecurityEvent } from "../domain/event.js";
import { appendEvents } from "../stores/event-store.js";
import type { Records } from "../stores/tables.js";

export interface RefusalLog {
	/** Writes the event unless there were too many in this minute. Never throws. */
	note(event: SecurityEvent): Promise<void>;
}

export const REFUSALS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;

export interface RefusalLogOptions {
	readonly db: Records;
	readonly log: FastifyBaseLogger;
	readonly nowMs: () => number;
}

export function createRefusalLog(options: RefusalLogOptions): RefusalLog {
	let minuteStartMs = Number.NEGATIVE_INFINITY;
	let count = 0;
	let suppressedCount = 0;
	return {
		async note(event) {
			const nowMs = options.nowMs();
			if (Math.abs(nowMs - minuteStartMs) >= MINUTE_MS) {
				minuteStartMs = nowMs;
				count = 0;
			}
			if (++count > REFUSALS_PER_MINUTE) {
				suppressedCount++;
				return;
			}
			const details = suppressedCount > 0 ? { ...event.details, left_out: suppressedCount } : event.details;
			suppressedCount = 0;
			const events = [{ ...event, details }];
			announce(options.log, events);
			try {
				await appendEvents(options.db, events, nowMs);
			} catch (error) {
				// The refusal stands whether or not it can be written down.
				options.log.error({ err: error, event: event.type }, "security event not recorded");
			}
		},
	};
}
