// The codes of what can be wrong with a response. Raised by response-parser and header-block, passed on by
// the HTTP client. It must not know anything else.

import { HEADER_ERRORS } from "./header-error.js";

export type ResponseError = (typeof RESPONSE_ERRORS)[number];

/**
 * Each says that the server, or something between, does not speak the part of HTTP/1.1 that is taken here.
 * The rest of the connection has no meaning then: it is closed. Trying again later may meet a better server.
 */
export const RESPONSE_ERRORS = [
	// The first line is not "HTTP/1.1 NNN reason": not an HTTP server, or a response out of step.
	"bad-status-line",
	// The version is not 1.1. HTTP/1.0 has neither kept-alive connections nor reliable lengths.
	"unsupported-version",
	// The status is not 100 to 599, or is 101: no other protocol was asked for.
	"bad-status",
	// The first line is longer than MAX_STATUS_LINE_BYTES.
	"status-line-too-long",
	// More than MAX_INTERIM_RESPONSES responses of 1xx before the real one.
	"too-many-interim-responses",
	// The response has a body by its status, but does not say how long.
	"missing-content-length",
	// The body is longer than the request allows.
	"body-too-large",
	// Bytes follow the end of the response, though nothing else was asked.
	"over-delivery",
	...HEADER_ERRORS,
] as const;
