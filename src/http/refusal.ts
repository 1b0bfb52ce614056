// The codes of what can be wrong with a request that was received. Raised by request-parser and header-block, passed on
// by the push server. It must not know anything else. (request-error.ts: those of a request that is to be sent.)

import { HEADER_ERRORS } from "./header-error.js";

export type Refusal = (typeof REFUSALS)[number];

/** Each says that the client does not speak the part of HTTP/1.1 that is taken here; it may be told so, once. */
export const REFUSALS = [
	// The first line is not "METHOD /target HTTP/1.1": no HTTP client, or TLS on a port that has none.
	"bad-request-line",
	// The version is not 1.1.
	"unsupported-version",
	// The first line is longer than MAX_REQUEST_LINE_BYTES, or method or target longer than there is room.
	"request-line-too-long",
	// There is no Host, which HTTP/1.1 demands: RFC 9112 §3.2.
	"missing-host",
	// More bytes than the request announced: pipelining is not spoken.
	"over-delivery",
	...HEADER_ERRORS,
] as const;
