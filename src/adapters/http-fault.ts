// What a failure of the HTTP client means to the update code. Used by exchange. It must not know what was asked.

import { FotaError } from "../protocol/error-codes.js";
import type { HttpErrorCode, HttpFailure } from "./http-client.js";

export function toNetworkError(failure: HttpFailure): FotaError {
	return new FotaError(networkCode(failure.code), failure.code, { cause: failure.cause });
}

// Mistakes of ours (`busy`, a bad request) are tried again like the rest: a device in the field has no better way.
function networkCode(code: HttpErrorCode) {
	switch (code) {
		case "connect-timeout":
		case "idle-timeout":
		case "total-timeout":
			return "network-timeout";
		case "busy":
		case "closed":
		case "cancelled":
		case "connect-failed":
		case "connection-closed":
		case "response-truncated":
		case "io-failed":
			return "network-unavailable";
		case "body-too-large":
		case "consumer-failed":
			return "answer-malformed";
		default:
			return "http-malformed";
	}
}
