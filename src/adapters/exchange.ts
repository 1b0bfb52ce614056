// One question to the server and its answer: signed, timed, checked, and asked again once if the server says that
// the nonce was stale (docs/protocol.md §3). Used by server-line. It must not know what is asked, nor what follows.

import { RESPONSE_MAC_HEADER } from "../protocol/device-auth.js";
import { type ErrorCode, FotaError } from "../protocol/error-codes.js";
import { ANSWER_MAX_BYTES } from "../protocol/limits.js";
import { PROBLEM_MEDIA_TYPE, parseProblem } from "../protocol/problem.js";
import type { Outcome } from "../update/ports.js";
import type { AnswerBody } from "./answer-body.js";
import { toFotaError } from "./cause.js";
import type { DeviceCredential } from "./device-credential.js";
import type { HttpClient, HttpFailure } from "./http-client.js";
import { toNetworkError } from "./http-fault.js";

/** Response headers the HTTP client must keep. */
export const ANSWER_HEADER_NAMES: readonly string[] = ["content-type", RESPONSE_MAC_HEADER, "retry-after"];

const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 15_000;
const JSON_MEDIA_TYPE = "application/json";
/** One, and one more after a stale nonce. */
const TRIES_MAX = 2;
/** Codes of an authenticated problem that say more than `http-status`; others mean nothing to a device. */
const PROBLEM_CODES: readonly string[] = [
	"nonce-stale",
	"rate-limited",
	"release-unknown",
	"request-malformed",
	"server-failed",
	"server-unavailable",
];

export interface Question {
	readonly method: "GET" | "POST";
	/** Path with query. */
	readonly target: string;
	/** JSON. */
	readonly body?: Uint8Array;
	/** Media type wanted of a 200. */
	readonly mediaType: string;
	readonly totalTimeoutMs: number;
	/** Where the body of a 200 goes, piece by piece, unauthenticated. Default: collected, and checked by its MAC. */
	readonly stream?: {
		/** Exact length. */
		readonly bodyBytes: number;
		/** As in HttpRequest. */
		readonly wantedBytes: () => number;
		/** False ends the exchange with `chunk-malformed`. */
		readonly onData: (buffer: Uint8Array, offset: number, byteCount: number) => boolean;
	};
	/** Called once, last, never from inside start(). */
	readonly onDone: (outcome: Outcome<Answer>) => void;
}

/** Authentic, unless it was streamed. */
export interface Answer {
	readonly status: number;
	/** Valid during the call; empty if it was streamed. */
	readonly body: Uint8Array;
}

export interface ExchangeOptions {
	readonly http: HttpClient;
	readonly credential: DeviceCredential;
	/** Shared by the exchanges of one connection, which has one under way at a time. */
	readonly body: AnswerBody;
	readonly question: Question;
	/** The server has seen the nonce, so another request may be signed. Not called after a failure: `onDone` says it then. */
	readonly onTurnOver: () => void;
}

export class Exchange {
	readonly #options: ExchangeOptions;
	#tryCount = 0;
	#nonce = 0;
	#status = 0;
	#macHex: string | undefined;
	/** The server sheds load: come again after so many seconds. */
	#retryAfterSeconds: number | undefined;
	#streamedBytes = 0;
	#error: FotaError | undefined;

	constructor(options: ExchangeOptions) {
		this.#options = options;
	}

	/** Throws if the request cannot be signed or begun; `onDone` is not called then. */
	start(): void {
		const { http, credential, question } = this.#options;
		const { method, target, body, stream } = question;
		const signature = credential.sign({ method, target, body });
		this.#nonce = signature.nonce;
		this.#tryCount += 1;
		http.request({
			method,
			path: target,
			headers: [
				{ name: "Authorization", value: signature.authorization },
				{ name: "Accept", value: question.mediaType },
				...(body === undefined ? [] : [{ name: "Content-Type", value: JSON_MEDIA_TYPE }]),
			],
			...(body === undefined ? {} : { body }),
			...(stream === undefined ? {} : { wantedBytes: stream.wantedBytes }),
			maxBodyBytes: Math.max(stream?.bodyBytes ?? 0, this.#options.body.maxBytes, ANSWER_MAX_BYTES),
			connectTimeoutMs: CONNECT_TIMEOUT_MS,
			idleTimeoutMs: IDLE_TIMEOUT_MS,
			totalTimeoutMs: question.totalTimeoutMs,
			onHead: (status, header) => this.#onHead(status, header),
			onBody: (buffer, offset, byteCount) => this.#onBody(buffer, offset, byteCount),
			onDone: (failure) => this.#onDone(failure),
		});
	}

	#onHead(status: number, header: (name: string) => string | undefined): boolean {
		this.#status = status;
		this.#macHex = header(RESPONSE_MAC_HEADER);
		this.#retryAfterSeconds = status === 429 || status === 503 ? secondsOf(header("retry-after")) : undefined;
		this.#streamedBytes = 0;
		this.#options.body.clear();
		// After any other status it may be asked again.
		if (status === 200 || status === 204) this.#options.onTurnOver();
		if (status === 204) return true;
		const type = mediaTypeOf(header("content-type"));
		if (status === 200) {
			if (type === this.#options.question.mediaType) return true;
			return this.#refuse(new FotaError("answer-malformed", `content type ${type}`));
		}
		if (status >= 400 && type === PROBLEM_MEDIA_TYPE) return true;
		return this.#refuse(this.#statusError("http-status", `status ${status}`));
	}

	#statusError(code: ErrorCode, message: string): FotaError {
		return new FotaError(code, message, { retryAfterSeconds: this.#retryAfterSeconds });
	}

	#onBody(buffer: Uint8Array, offset: number, byteCount: number): boolean {
		const { question, body } = this.#options;
		if (question.stream !== undefined && this.#status === 200) {
			this.#streamedBytes += byteCount;
			if (this.#streamedBytes > question.stream.bodyBytes)
				return this.#refuse(new FotaError("chunk-malformed", "longer than the chunks asked for"));
			if (question.stream.onData(buffer, offset, byteCount)) return true;
			return this.#refuse(new FotaError("chunk-malformed", "refused"));
		}
		if (body.append(buffer, offset, byteCount)) return true;
		return this.#refuse(new FotaError("answer-malformed", `more than ${body.maxBytes} bytes`));
	}

	#refuse(error: FotaError): false {
		this.#error = error;
		return false;
	}

	#onDone(failure: HttpFailure | undefined): void {
		const outcome = this.#conclude(failure);
		if (outcome !== undefined) this.#options.question.onDone(outcome);
	}

	/** Undefined: asked again. */
	#conclude(failure: HttpFailure | undefined): Outcome<Answer> | undefined {
		if (this.#error !== undefined) return { error: this.#error };
		if (failure !== undefined) return { error: this.#failed(failure) };
		try {
			if (this.#status !== 200 && this.#status !== 204) return this.#concludeProblem();
			return this.#options.question.stream === undefined ? this.#concludeAnswer() : this.#concludeStream();
		} catch (cause) {
			return { error: toFotaError(cause, { code: "answer-malformed", doing: "answer" }) };
		}
	}

	#failed(failure: HttpFailure): FotaError {
		if (failure.code === "body-too-large" && this.#options.question.stream !== undefined)
			return new FotaError("chunk-malformed", "longer than the chunks asked for");
		return toNetworkError(failure);
	}

	#concludeAnswer(): Outcome<Answer> {
		if (this.#isAuthentic()) return { value: { status: this.#status, body: this.#options.body.bytes() } };
		return { error: new FotaError("answer-unauthenticated", this.#macFault()) };
	}

	/** Nothing here is authenticated but what the chunks prove themselves; a 204 is no answer to this question. */
	#concludeStream(): Outcome<Answer> {
		this.#options.body.clear();
		if (this.#status === 200 && this.#streamedBytes === this.#options.question.stream?.bodyBytes)
			return { value: { status: 200, body: this.#options.body.bytes() } };
		if (this.#status === 200) return { error: new FotaError("chunk-malformed", "the body ended early") };
		return { error: new FotaError("http-status", `status ${this.#status}`) };
	}

	/**
	 * Threat: a forged problem that moves our nonce or our decisions. One without a MAC tells no more than its status
	 * (the server cannot authenticate an answer to a device it does not know); one with a wrong MAC is an attack.
	 */
	#concludeProblem(): Outcome<Answer> | undefined {
		const status = `status ${this.#status}`;
		if (this.#macHex === undefined)
			return { error: this.#statusError("http-status", `${status}, without MAC`) };
		if (!this.#isAuthentic()) return { error: new FotaError("answer-unauthenticated", this.#macFault()) };
		const problem = parseProblem(this.#options.body.bytes());
		if (problem.code === "nonce-stale" && this.#tryCount < TRIES_MAX) {
			if (problem.nextNonce !== undefined && this.#options.credential.skipTo(problem.nextNonce)) {
				this.start();
				return undefined;
			}
		}
		const code = PROBLEM_CODES.includes(problem.code) ? problem.code : "http-status";
		return { error: this.#statusError(code, `${status}: ${problem.detail}`) };
	}

	#isAuthentic(): boolean {
		const { credential, body } = this.#options;
		return credential.isAuthentic({
			nonce: this.#nonce,
			status: this.#status,
			body: body.bytes(),
			macHex: this.#macHex,
		});
	}

	#macFault(): string {
		return `status ${this.#status}, ${this.#macHex === undefined ? "without" : "wrong"} MAC`;
	}
}

/** Retry-After in seconds (RFC 9110 §10.2.3). A date is none: a device does not know the time for sure. */
function secondsOf(retryAfter: string | undefined): number | undefined {
	return retryAfter !== undefined && /^[0-9]{1,9}$/.test(retryAfter) ? Number(retryAfter) : undefined;
}

/** Without its parameters, in lower case. */
function mediaTypeOf(contentType: string | undefined): string {
	const end = contentType?.indexOf(";") ?? -1;
	const type = contentType === undefined || end < 0 ? contentType : contentType.slice(0, end);
	return type?.trim().toLowerCase() ?? "missing";
}
