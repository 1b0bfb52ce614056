// What was thrown, as text for a log line or as an error with a code. Used by all adapters. It must not throw
// itself, nor know where the fault came from.

import { type ErrorCode, FotaError } from "../protocol/error-codes.js";

/** `hash-mismatch: …` for our own errors, the message of others; never a stack. */
export function describeCause(cause: unknown): string {
	if (cause instanceof FotaError) return `${cause.code}: ${cause.message}`;
	if (cause instanceof Error) return cause.message === "" ? cause.name : cause.message;
	return typeof cause === "string" ? cause : "unknown fault";
}

export interface FotaErrorOptions {
	/** For what has no code yet. */
	readonly code: ErrorCode;
	/** What failed, for the message: `erase at 4096`. */
	readonly doing: string;
}

/** A FotaError as it is; anything else under `code`, with what was thrown as its cause. */
export function toFotaError(cause: unknown, options: FotaErrorOptions): FotaError {
	if (cause instanceof FotaError) return cause;
	return new FotaError(options.code, `${options.doing}: ${describeCause(cause)}`, { cause });
}
