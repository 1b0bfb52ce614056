// The codes of what can be wrong with a response. Raised by response-parser and header-block, passed on by
// the HTTP client. It must not know anything else.

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
	// A line of the head ends without CR LF, or holds a CR or LF elsewhere. Readers that differ on this can
	// be made to see different messages.
	"bad-line-end",
	// A header begins with a blank, as a continued line did in old HTTP.
	"obs-fold",
	// A header's name is empty or not a token (a blank before the colon among others), or its value holds
	// a control character; for a header that is used, anything but printable ASCII.
	"bad-header",
	// A header, name and value together, is longer than MAX_HEADER_LINE_BYTES.
	"header-line-too-long",
	// A header that is used has a value longer than MAX_HEADER_VALUE_BYTES, or no more room.
	"header-value-too-long",
	// More than MAX_HEADERS headers.
	"too-many-headers",
	// All headers together are longer than MAX_HEAD_BYTES.
	"head-too-long",
	// A header that is used, Content-Length among them, appears twice: which one counts would be a guess.
	"duplicate-header",
	// The body comes in chunks or encoded. Only Content-Length is taken: one way to find the end.
	"transfer-encoding-refused",
	// The response has a body by its status, but does not say how long.
	"missing-content-length",
	// Content-Length is not 1 to MAX_CONTENT_LENGTH_DIGITS digits, or not 0 where there is no body.
	"bad-content-length",
	// The body is longer than the request allows.
	"body-too-large",
	// Bytes follow the end of the response, though nothing else was asked.
	"over-delivery",
] as const;
