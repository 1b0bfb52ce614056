// Turning what was thrown into the one error class, with a message that any report can carry. Used throughout update.
import { type ErrorCode, FotaError } from "../protocol/error-codes.js";
import { plainText } from "../protocol/json.js";
import { REASON_MAX_CHARS } from "../protocol/limits.js";

/** A FotaError as it is; anything else under `code`, because a fault without a code cannot be reported. */
export function toFotaError(cause: unknown, code: ErrorCode = "device-failed"): FotaError {
	if (cause instanceof FotaError) return cause;
	return new FotaError(code, cause instanceof Error ? cause.message : String(cause), { cause });
}

/** A push cannot be taken now; the message says why. */
export function busyError(message: string): FotaError {
	return new FotaError("device-busy", message);
}

/** Text that the limits of reports and storage accept, never empty. It may come from native code or from the server. */
export function plainMessage(text: string): string {
	return plainText(text, REASON_MAX_CHARS) ?? "no details";
}
