// The codes of what can be wrong with header lines, of a response or of a request. Raised by header-block and by the
// parsers that use it. It must not know anything else.

export type HeaderError = (typeof HEADER_ERRORS)[number];

/** The rest of the connection has no meaning after any of them: it is closed. */
export const HEADER_ERRORS = [
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
	// The values of the headers that are used are longer than the room there is for them, in limits.ts.
	"header-value-too-long",
	// More than MAX_HEADERS headers.
	"too-many-headers",
	// All headers together are longer than MAX_HEAD_BYTES.
	"head-too-long",
	// A header that is used, Content-Length among them, appears twice: which one counts would be a guess.
	"duplicate-header",
	// The body comes in chunks or encoded. Only Content-Length is taken: one way to find the end.
	"transfer-encoding-refused",
	// Content-Length is not 1 to MAX_CONTENT_LENGTH_DIGITS digits, or not 0 where there is no body.
	"bad-content-length",
] as const;
