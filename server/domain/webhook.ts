// Decisions about webhooks: which events one gets, when an attempt is repeated, when it is given up. Pure; called by
// stores/queue-deliveries.ts and webhooks/delivery-worker.ts.
import type { LogName } from "./event.js";

export type DeliveryStatus = "waiting" | "delivered" | "failed" | "dropped";
export const DELIVERY_STATUSES: readonly DeliveryStatus[] = ["waiting", "delivered", "failed", "dropped"];

export interface EventFilter {
	/** Null: both logs. */
	readonly log: LogName | null;
	/** Null: all but {@link STEP_TYPES}. */
	readonly types: readonly string[] | null;
	readonly deviceId: string | null;
}

/** What every device tells again and again; sent only where it is asked for by name. */
export const STEP_TYPES: readonly string[] = ["chunk_received", "boot_status"];

export function isWanted(
	filter: EventFilter,
	event: { readonly log: LogName; readonly type: string; readonly device_id: string | null },
): boolean {
	if (filter.log !== null && filter.log !== event.log) return false;
	if (filter.deviceId !== null && filter.deviceId !== event.device_id) return false;
	return filter.types === null ? !STEP_TYPES.includes(event.type) : filter.types.includes(event.type);
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Pauses behind the first attempt, the second, …: eight attempts within 24 hours. */
export const RETRY_PAUSES_MS: readonly number[] = [
	5 * SECOND_MS,
	MINUTE_MS,
	5 * MINUTE_MS,
	30 * MINUTE_MS,
	2 * HOUR_MS,
	6 * HOUR_MS,
	12 * HOUR_MS,
];
export const ATTEMPTS_MAX = RETRY_PAUSES_MS.length + 1;
/** Each pause is up to this share longer or shorter, so that a target that comes back is not met by all at once. */
const JITTER = 0.15;
/** A webhook that only failed for so long is switched off. */
export const DEACTIVATE_AFTER_MS = 5 * 24 * HOUR_MS;
/** How long a replaced secret goes on signing beside the new one. */
export const SECRET_OVERLAP_MS = 24 * HOUR_MS;

/** When to try again after `attempts` attempts that failed; undefined: never. `random` is from 0 to 1. */
export function nextTryMs(attempts: number, nowMs: number, random: number): number | undefined {
	const pauseMs = RETRY_PAUSES_MS[attempts - 1];
	if (pauseMs === undefined) return undefined;
	return nowMs + Math.round(pauseMs * (1 + JITTER * (2 * random - 1)));
}

export interface AttemptOutcome {
	/** HTTP status; undefined when there was no answer. */
	readonly responseStatus: number | undefined;
	readonly durationMs: number;
	/** Why it failed, for the delivery log; undefined after a success. */
	readonly error: string | undefined;
}

/** Why a webhook that just failed is to be switched off; undefined: it stays. */
export function deactivationReason(
	outcome: AttemptOutcome,
	failingSinceMs: number,
	nowMs: number,
): string | undefined {
	// "Gone": the receiver says that it wants nothing more (Standard Webhooks).
	if (outcome.responseStatus === 410) return "the receiver answered 410 Gone";
	if (nowMs - failingSinceMs < DEACTIVATE_AFTER_MS) return undefined;
	return `no delivery succeeded for ${DEACTIVATE_AFTER_MS / (24 * HOUR_MS)} days`;
}
