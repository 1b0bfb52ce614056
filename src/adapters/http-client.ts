// What a user of HTTP on the device sees: request, client, failure. Implemented by tcp-http-client and by
// fakes; used by the adapters that talk to the server. It must not know sockets, nor what is asked for.

import type { RequestError } from "../http/request-error.js";
import type { HttpHeader, HttpMethod } from "../http/request-writer.js";
import type { ResponseError } from "../http/response-error.js";

export interface HttpRequest {
	readonly method: HttpMethod;
	/** Path with query, beginning with "/", visible ASCII. */
	readonly path: string;
	/** Sent as given, after Host and Content-Length, which the client writes. */
	readonly headers?: readonly HttpHeader[];
	/** Kept by reference until `onDone`, since it may be sent in parts and once again. */
	readonly body?: Uint8Array;
	/** Bytes of `body` to send, from its start. Default: all of it. */
	readonly bodyBytes?: number;
	/** Largest `Content-Length` taken. */
	readonly maxBodyBytes: number;
	/** From opening the connection until it stands. */
	readonly connectTimeoutMs: number;
	/** Longest time without a byte sent or received; noticed within a quarter more. */
	readonly idleTimeoutMs: number;
	/** From the first step to the last byte, a second connection included. */
	readonly totalTimeoutMs: number;
	/**
	 * Whether the request may be sent again when a kept-alive connection turns out to have been closed
	 * before any byte of the response; the server may have seen it then. Default: true.
	 */
	readonly isRepeatable?: boolean;
	/** The head is complete. `header` takes a lower-case name of `headerNames`. False: abort. */
	readonly onHead?: (status: number, header: (name: string) => string | undefined) => boolean;
	/** `byteCount` bytes of the body, from `offset`; only valid until it returns. False: abort. */
	readonly onBody?: (buffer: Uint8Array, offset: number, byteCount: number) => boolean;
	/**
	 * Most bytes to read next, at least 1, of the head too, since body may come with it: what is not read yet is not lost
	 * with what a reset forgets. Default: as many as there are.
	 */
	readonly wantedBytes?: () => number;
	/** Called exactly once, last, and never before `request` has returned. Any status is a success here. */
	readonly onDone: (failure: HttpFailure | undefined) => void;
}

export interface HttpClient {
	/**
	 * Starts a request; whatever is wrong with it comes by `onDone`, even that another is under way
	 * ("busy"). A new one may be started from `onDone`, not earlier.
	 */
	request(request: HttpRequest): void;
	/** Ends the request under way, if any, with "cancelled": the connection now, `onDone` soon. */
	cancel(): void;
	/** Ends request and connection for good. Idempotent; `onDone` of a request under way follows soon. */
	close(): void;
}

export interface HttpFailure {
	readonly code: HttpErrorCode;
	/** What was thrown, where something was. */
	readonly cause?: unknown;
}

export type HttpErrorCode = HttpClientError | RequestError | ResponseError;
export type HttpClientError = (typeof HTTP_CLIENT_ERRORS)[number];

/** Raised by the client itself. After any failure the connection is closed and the next request opens one. */
export const HTTP_CLIENT_ERRORS = [
	// Another request is under way, or was ended and has not had its `onDone`. Nothing was sent. A mistake
	// of the caller.
	"busy",
	// `close` was called, before the request or during it.
	"closed",
	// `cancel` was called, or `onHead` or `onBody` returned false.
	"cancelled",
	// No connection: it could not begin (`cause`: no way to the network, no socket free), its name is not
	// known, or the server refused.
	// Worth another try later.
	"connect-failed",
	// The connection did not stand within `connectTimeoutMs`. Worth another try later.
	"connect-timeout",
	// No byte went either way for `idleTimeoutMs`: server stalled, or network gone.
	"idle-timeout",
	// The request as a whole took longer than `totalTimeoutMs`, as with a server that trickles.
	"total-timeout",
	// The server closed before the first byte of a response (and, on a kept-alive connection, did so again
	// on a fresh one, unless the request said that it may not be repeated).
	"connection-closed",
	// The server closed in the middle of a response.
	"response-truncated",
	// The server sent bytes on a new connection before anything was asked.
	"unexpected-data",
	// `onHead` or `onBody` threw (`cause`). A mistake of the caller.
	"consumer-failed",
	// Socket or timer threw where they should not (`cause`).
	"io-failed",
] as const;
