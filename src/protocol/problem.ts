// Errors on the wire: problem details (RFC 9457) with the stable code of error-codes.ts (docs/protocol.md §9).
import { type ErrorCode, isErrorCode } from "./error-codes.js";
import { parseJsonObject, plainText } from "./json.js";
import { ANSWER_MAX_BYTES, COUNTER_MAX, PROBLEM_DETAIL_MAX_CHARS } from "./limits.js";

export const PROBLEM_MEDIA_TYPE = "application/problem+json";

export interface Problem {
	readonly status: number;
	readonly code: ErrorCode;
	readonly detail: string;
	/** With `nonce-stale`: the next nonce the server accepts. */
	readonly nextNonce?: number | undefined;
}

export function encodeProblem(problem: Problem): string {
	return JSON.stringify({
		type: `urn:xs-fota:error:${problem.code}`,
		title: problem.code.replaceAll("-", " "),
		status: problem.status,
		code: problem.code,
		detail: plainText(problem.detail, PROBLEM_DETAIL_MAX_CHARS),
		next_nonce: problem.nextNonce,
	});
}

/** Throws `answer-malformed`; an unknown code of a newer server becomes `http-status`. */
export function parseProblem(bytes: Uint8Array): Problem {
	const fields = parseJsonObject(bytes, { maxBytes: ANSWER_MAX_BYTES, code: "answer-malformed" });
	const code = fields.string("code", 40);
	return {
		status: fields.integer("status", 400, 599),
		code: isErrorCode(code) ? code : "http-status",
		detail: fields.optionalString("detail", PROBLEM_DETAIL_MAX_CHARS) ?? "",
		nextNonce: fields.optionalInteger("next_nonce", 1, COUNTER_MAX),
	};
}
