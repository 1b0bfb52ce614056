// The limits of what is taken from the other side of an HTTP connection, each with its unit and reason.
// Used by the parsers of this folder. Headers that nobody asked for are counted, not kept, so most of these
// bound time and not memory.

/** Bytes of "HTTP/1.1 NNN reason" with CR LF. The reason is skipped; real ones are below 40. */
export const MAX_STATUS_LINE_BYTES = 256;

/** Bytes of one header line with CR LF. Proxies add policies of several hundred bytes. */
export const MAX_HEADER_LINE_BYTES = 2048;

/** Header lines of a response. Our server sends about 8, a proxy in front adds as many again. */
export const MAX_HEADERS = 48;

/** Bytes of all header lines of a response with CR LF. A proxy's usual limit; ours sends about 400. */
export const MAX_HEAD_BYTES = 8192;

/** Bytes of a header's name that are compared; longer names are taken and never match. Costs its bytes of RAM. */
export const MAX_HEADER_NAME_BYTES = 32;

/** Bytes of all values of a response that are kept: a MAC has 64, a media type fewer. Costs its bytes of RAM. */
export const MAX_RESPONSE_VALUES_BYTES = 512;

/** Digits of Content-Length: 10 GB, far above flash, and far below where numbers lose precision. */
export const MAX_CONTENT_LENGTH_DIGITS = 10;

/** Responses of 1xx before the real one. We never ask for one; a server may send 100 or 103 unasked. */
export const MAX_INTERIM_RESPONSES = 4;

/** Bytes of "METHOD /target HTTP/1.1" with CR LF. */
export const MAX_REQUEST_LINE_BYTES = 256;

/** Bytes of a method: ours are GET and POST. */
export const MAX_METHOD_BYTES = 8;

/** Bytes of a target. Ours have at most 8. */
export const MAX_TARGET_BYTES = 128;

/**
 * Bytes of all values of a request that are kept: a release statement of at most 1024, authorization, host, expectation.
 * Costs its bytes of RAM.
 */
export const MAX_REQUEST_VALUES_BYTES = 1536;
