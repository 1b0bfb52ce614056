// What becomes of a device in a rollout when its update changes: whether a failure is tried again, how long it holds its
// download place. Pure; called by stores/record-update.ts.
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import type { MemberStatus, RolloutPlan } from "./rollout-plan.js";
import { SILENT, type UpdateStatus } from "./update-history.js";

/** How long a download place is held without a word: a device that is gone frees it. */
export const LEASE_MS = 600_000;

/** For how long a place is given once more to a device that let its first one pass. */
export const RETAKE_MS = 60_000;

const MINUTE_MS = 60_000;

/** The device would refuse it again, or was not heard of since: only an operator has it tried anew. */
const FINAL_CODES: readonly (ErrorCode | typeof SILENT)[] = [
	SILENT,
	"signature-invalid",
	"statement-malformed",
	"manifest-mismatch",
	"device-type-mismatch",
	"chip-mismatch",
	"version-not-newer",
	"version-too-old",
	"security-downgrade",
	"image-too-large",
	"image-invalid",
	"release-known-bad",
	"bootloader-without-rollback",
];

export interface MemberChange {
	readonly status: MemberStatus;
	readonly next_try_at_ms: number | null;
	readonly lease_until_ms: number | null;
	readonly finished_at_ms: number | null;
}

export interface MemberFacts {
	readonly attempts: number;
	readonly errorCode: string | undefined;
	/** Whether the device was seen to take the release up. */
	readonly isBegun: boolean;
	readonly retry: RolloutPlan["retry"];
	readonly nowMs: number;
}

/** As its update is now. */
export function memberAfter(update: UpdateStatus, facts: MemberFacts): MemberChange {
	const { nowMs } = facts;
	const under = { next_try_at_ms: null, finished_at_ms: null };
	switch (update) {
		case "pending":
			return { ...under, status: "offered", lease_until_ms: nowMs + LEASE_MS };
		case "downloading":
			return { ...under, status: "downloading", lease_until_ms: nowMs + LEASE_MS };
		case "installing":
			return { ...under, status: "installing", lease_until_ms: null };
		case "success":
			return ended("succeeded", nowMs);
		case "rolled_back":
		case "aborted":
			return ended(update, nowMs);
		case "failed":
			return afterFailure(facts);
	}
}

function afterFailure({ attempts, errorCode, isBegun, retry, nowMs }: MemberFacts): MemberChange {
	// It went away before it began: nothing that the release did.
	if (errorCode === SILENT && !isBegun) return retrying(nowMs);
	const isFinal = FINAL_CODES.some((code) => code === errorCode);
	if (isFinal || attempts >= retry.max_attempts) return ended("failed", nowMs);
	return retrying(nowMs + retry.delay_minutes * MINUTE_MS);
}

/** Its try gave way to another update: that was no try, and nothing has to be waited for. */
export function afterSuperseded(
	attempts: number,
	nowMs: number,
): MemberChange & { readonly attempts: number } {
	return { ...retrying(nowMs), attempts: Math.max(0, attempts - 1) };
}

function retrying(nextTryAtMs: number): MemberChange {
	return { status: "retrying", next_try_at_ms: nextTryAtMs, lease_until_ms: null, finished_at_ms: null };
}

function ended(status: MemberStatus, nowMs: number): MemberChange {
	return { status, next_try_at_ms: null, lease_until_ms: null, finished_at_ms: nowMs };
}

/**
 * Until when a device that asks has a download place; undefined: it must wait. Asking does not prolong it: a device that
 * asks and never downloads, since its application is busy, would keep others out. `heldUntilMs` is of the same try;
 * undefined for a new one.
 */
export function placeUntil(heldUntilMs: number | undefined, nowMs: number): number | undefined {
	if (heldUntilMs === undefined) return nowMs + LEASE_MS;
	if (nowMs < heldUntilMs) return heldUntilMs;
	return nowMs < heldUntilMs + LEASE_MS ? undefined : nowMs + RETAKE_MS;
}
