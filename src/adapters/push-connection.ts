// One connection to the push server: reads the head of one request within its limits, lets its body come once somebody
// takes it, writes one answer, and is over. Every wait ends. Built and polled by push-server, served by push-exchange. It
// must not know what is asked, nor who may ask it.

import type { Refusal } from "../http/refusal.js";
import { RequestParser } from "../http/request-parser.js";
import type { HttpHeader } from "../http/request-writer.js";
import { CONTINUE, writeResponseHead } from "../http/response-writer.js";
import type { FotaSockets } from "../native/fota-sockets.js";
import { utf8EncodeInto } from "../protocol/encoding.js";
import { INFO_MAX_BYTES, STATEMENT_MAX_BYTES } from "../protocol/limits.js";
import { RELEASE_HEADER } from "../protocol/push.js";
import type { Clock } from "../update/ports.js";

/** For the whole head (threat: one that trickles and holds the place). */
export const HEAD_LIMIT_MS = 5000;
/** Between two pieces of a body. */
export const BODY_IDLE_MS = 12_000;
/** For a whole body, and for each byte of it besides (threat: one that trickles and keeps updates away). */
const BODY_LIMIT_MS = 60_000;
const BODY_MS_A_BYTE = 1;
/** For what is decided or verified in between; longer than any of it takes. */
const DECISION_LIMIT_MS = 60_000;
/** For an answer to be taken. */
const ANSWER_LIMIT_MS = 10_000;
/** What still comes behind an answer is read away, or closing would reset the connection before it is read. */
export const LINGER_MS = 1500;
/** The largest TCP segment of the SDK's lwip configuration. */
const RECEIVE_BYTES = 1436;
/** Read in one poll: a whole receive window (CONFIG_LWIP_TCP_WND_DEFAULT), and no more, however fast the sender is. */
const POLL_BYTES = 16_384;
const HEAD_BYTES = 512;

/** What all connections share: one object, since each value in one is a slot of the heap. */
export interface PushHost {
	readonly sockets: Pick<FotaSockets, "read" | "write" | "close">;
	readonly clock: Clock;
	/** The head is complete, or no HTTP (then only an answer makes sense). From inside poll(). */
	readonly onHead: (connection: PushConnection, refusal: Refusal | undefined) => void;
	/** Once, last; also after an answer. */
	readonly onClosed: (connection: PushConnection) => void;
}

/** Who takes a body. Neither call may throw. */
export interface BodyTaker {
	/** False: no more of it. */
	readonly onBody: (buffer: Uint8Array, offset: number, byteCount: number) => boolean;
	/** The sender is gone or too slow; the connection may still be there for an answer. Once at most. */
	readonly onLost: (reason: string) => void;
}

export interface Answer {
	readonly status: number;
	readonly mediaType: string;
	readonly headers?: readonly HttpHeader[];
	/** At most 2048 bytes of UTF-8. */
	readonly body: string;
}

/** read: the head is complete. deciding: it was handed over. waiting: the body is complete. lingering: the answer is written. */
type Phase = "head" | "read" | "deciding" | "body" | "waiting" | "answering" | "lingering" | "closed";

export class PushConnection {
	readonly #host: PushHost;
	readonly #handle: number;
	readonly #parser = new RequestParser({ headerNames: ["authorization", RELEASE_HEADER] });
	readonly #in = new Uint8Array(RECEIVE_BYTES);
	readonly #out = new Uint8Array(HEAD_BYTES + INFO_MAX_BYTES);
	#phase: Phase = "head";
	#taker: BodyTaker | undefined;
	#delayed: Answer | undefined;
	/** Bytes of the body that came with the head and wait in the receive buffer. */
	#heldOffset = 0;
	#heldBytes = 0;
	#outBytes = 0;
	#sentBytes = 0;
	/** When the phase is over, whatever comes. */
	#limitMs = 0;
	/** When the last piece of a body came. */
	#heardMs = 0;
	/** Nothing good is to be expected of it: it goes when another wants its place. */
	isExpendable = false;

	/** `handle`: as `accept()` gave it. */
	constructor(host: PushHost, handle: number) {
		this.#host = host;
		this.#handle = handle;
		this.#limitIn(HEAD_LIMIT_MS);
	}

	/** What can be moved now is moved, what is over is ended. Called again and again; has no timer. Never throws. */
	poll(): void {
		try {
			if (this.#phase === "read") {
				// Not in the turn that read it: what is decided now would stand on the stack of the reading.
				this.#phase = "deciding";
				this.#host.onHead(this, this.#parser.error);
				return;
			}
			this.#pump();
			this.#read();
			this.#watch();
		} catch {
			this.close();
		}
	}

	get method(): string {
		return this.#parser.method;
	}

	get target(): string {
		return this.#parser.target;
	}

	get contentLengthBytes(): number | undefined {
		return this.#parser.contentLengthBytes;
	}

	/** An expectation other than 100-continue cannot be met: RFC 9110 §10.1.1. */
	get hasOddExpectation(): boolean {
		return this.#parser.header("expect") !== undefined && !this.#parser.expectsContinue;
	}

	/** Of `authorization` and RELEASE_HEADER; within 1024 characters. */
	header(name: string): string | undefined {
		const value = this.#parser.header(name);
		return (value?.length ?? 0) > STATEMENT_MAX_BYTES ? undefined : value;
	}

	/** Whose the body is; told from now on when the sender is lost. */
	giveTo(taker: BodyTaker): void {
		this.#taker = taker;
	}

	/** Lets the body come, all announced bytes of it, from the next poll on. After giveTo(). */
	receive(): void {
		if (this.#phase !== "deciding") return;
		this.#phase = "body";
		this.#heardMs = this.#host.clock.nowMs();
		this.#limitIn(BODY_LIMIT_MS + this.#parser.leftBytes * BODY_MS_A_BYTE);
		if (this.#parser.expectsContinue && this.#heldBytes === 0) {
			this.#outBytes = utf8EncodeInto(CONTINUE, this.#out, this.#outBytes);
			this.#pump();
		}
		this.#takeHeld();
	}

	/** The one answer; afterwards the connection closes by itself. No effect on a closed one. */
	answer(answer: Answer): void {
		if (this.#phase === "answering" || this.#phase === "lingering" || this.#phase === "closed") return;
		const { status, mediaType, headers = [], body } = answer;
		this.#taker = undefined;
		this.#heldBytes = 0;
		this.#phase = "answering";
		this.#limitIn(ANSWER_LIMIT_MS);
		const text = new Uint8Array(INFO_MAX_BYTES);
		const bodyBytes = utf8EncodeInto(body, text, 0);
		const head = writeResponseHead(this.#out.subarray(this.#outBytes), {
			status,
			headers: [{ name: "Content-Type", value: mediaType }, ...headers],
			contentLengthBytes: bodyBytes,
		});
		const end = this.#outBytes + (head ?? Number.POSITIVE_INFINITY) + bodyBytes;
		if (bodyBytes <= INFO_MAX_BYTES && end <= this.#out.length) {
			this.#out.set(text.subarray(0, bodyBytes), end - bodyBytes);
			this.#outBytes = end;
			this.#pump();
		} else this.close();
	}

	/** The same after a while, unless another wants the place meanwhile. The wait is its own: it goes with it. */
	answerLater(answer: Answer, delayMs: number): void {
		if (this.#phase !== "deciding") return;
		this.isExpendable = true;
		this.#delayed = answer;
		this.#limitIn(delayMs);
	}

	/** Idempotent. */
	close(): void {
		if (this.#phase === "closed") return;
		this.#phase = "closed";
		this.#host.sockets.close(this.#handle);
		this.#lose("the connection is gone");
		this.#host.onClosed(this);
	}

	#lose(reason: string): void {
		const taker = this.#taker;
		this.#taker = undefined;
		taker?.onLost(reason);
	}

	#limitIn(delayMs: number): void {
		this.#limitMs = this.#host.clock.nowMs() + delayMs;
	}

	/** Behind the reading: what came while JavaScript was busy has come in time. */
	#watch(): void {
		const nowMs = this.#host.clock.nowMs();
		if (nowMs >= this.#limitMs) this.#timeOut();
		else if (this.#phase === "body" && nowMs - this.#heardMs >= BODY_IDLE_MS)
			this.#stalled(`nothing came for ${BODY_IDLE_MS / 1000} s`);
	}

	#timeOut(): void {
		const delayed = this.#delayed;
		this.#delayed = undefined;
		if (delayed !== undefined) this.answer(delayed);
		else if (this.#phase === "body") this.#stalled("the body took too long");
		else this.close();
	}

	/** Whoever took the body answers, or the limit ends it. */
	#stalled(reason: string): void {
		this.#wait();
		this.#lose(reason);
	}

	#wait(): void {
		this.#phase = "waiting";
		this.#limitIn(DECISION_LIMIT_MS);
	}

	/** Until nothing is there, nothing is wanted, or it was enough for one turn. */
	#read(): void {
		let restBytes = POLL_BYTES;
		while (restBytes > 0) {
			const wantedBytes = Math.min(restBytes, this.#wantedBytes());
			if (wantedBytes === 0) return;
			const readBytes = this.#host.sockets.read(this.#handle, this.#in, 0, wantedBytes);
			if (readBytes < 0) this.close();
			if (readBytes <= 0) return;
			restBytes -= readBytes;
			if (this.#phase === "head") this.#takeHead(readBytes);
			else if (this.#phase === "body") this.#takeBody(0, readBytes);
		}
	}

	/** 0: the other side finds the window closed, and its end is not noticed either. */
	#wantedBytes(): number {
		if (this.#phase === "body") return Math.min(RECEIVE_BYTES, this.#parser.leftBytes);
		return this.#phase === "head" || this.#phase === "lingering" ? RECEIVE_BYTES : 0;
	}

	#takeHead(byteCount: number): void {
		const taken = this.#parser.feedHead(this.#in, 0, byteCount);
		if (this.#parser.error === undefined && !this.#parser.isHeadComplete) return;
		this.#phase = "read";
		this.#limitIn(DECISION_LIMIT_MS);
		this.#heldOffset = taken;
		this.#heldBytes = byteCount - taken;
	}

	#takeHeld(): void {
		// What stands behind a body is another request: it is not answered, the connection closes.
		const byteCount = Math.min(this.#heldBytes, this.#parser.leftBytes);
		this.#heldBytes = 0;
		if (byteCount > 0) this.#takeBody(this.#heldOffset, byteCount);
	}

	#takeBody(offset: number, byteCount: number): void {
		this.#heardMs = this.#host.clock.nowMs();
		if (!this.#parser.takeBody(byteCount)) {
			this.#stalled("more bytes than announced");
			return;
		}
		const taker = this.#taker;
		if (this.#parser.isDone) {
			// From here on nobody waits for the sender, and a sender that goes away changes nothing.
			this.#taker = undefined;
			this.#wait();
		}
		if (taker?.onBody(this.#in, offset, byteCount) === false && this.#phase === "body") this.#wait();
	}

	// As much as is taken now; the rest waits for the next poll.
	#pump(): void {
		const { sockets } = this.#host;
		while (this.#sentBytes < this.#outBytes) {
			const sentBytes = sockets.write(
				this.#handle,
				this.#out,
				this.#sentBytes,
				this.#outBytes - this.#sentBytes,
			);
			if (sentBytes < 0) this.close();
			if (sentBytes <= 0) return;
			this.#sentBytes += sentBytes;
		}
		if (this.#phase !== "answering") return;
		this.#phase = "lingering";
		this.isExpendable = true;
		this.#limitIn(LINGER_MS);
	}
}
