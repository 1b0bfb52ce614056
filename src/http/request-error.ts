// The codes of what can be wrong with a request that is to be sent. Raised by request-writer, passed on by
// the HTTP client. It must not know anything else.

export type RequestError = (typeof REQUEST_ERRORS)[number];

/** All are mistakes of the caller, found before a byte is sent; trying again does not help. */
export const REQUEST_ERRORS = [
	// The method is not upper-case ASCII letters.
	"bad-method",
	// The path does not begin with "/", or holds a blank, a control character, "#" or anything but ASCII.
	"bad-path",
	// The host is empty or holds a character that is not visible ASCII.
	"bad-host",
	// A header's name is not a token, or its value holds anything but printable ASCII (a line break would
	// begin another header) or begins or ends with a blank.
	"bad-request-header",
	// A header that the writer itself sets or that would change where the message ends.
	"reserved-header",
	// The length is not a whole number, or exceeds the body that was given.
	"bad-body-length",
	// The head does not fit into its buffer.
	"request-too-long",
] as const;
