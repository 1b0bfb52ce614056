// The HTTP/1.1 client of the device: one kept-alive connection, one request at a time, every wait timed,
// every callback guarded. Built by main, used as HttpClient. It must not know what the requests are about.

import type { RequestError } from "../http/request-error.js";
import { writeRequestHead } from "../http/request-writer.js";
import { ResponseParser } from "../http/response-parser.js";
import type { HttpClient, HttpFailure, HttpRequest } from "./http-client.js";
import { TcpConnection, type TcpHandler, type TcpStack } from "./tcp-connection.js";
import { type RepeatingTimerPort, TimerSlot } from "./timer-slot.js";

export interface TcpHttpClientOptions {
	readonly stack: TcpStack;
	/** As `TcpConnectionOptions` has them. */
	readonly server: { readonly address: string; readonly port: number };
	readonly timer: RepeatingTimerPort;
	/** Sent as Host: name or address, with the port where it is not 80. */
	readonly host: string;
	/** Response headers that `onHead` may ask for, lower-case. */
	readonly headerNames?: readonly string[];
	/** Default 1436, the largest TCP segment of the SDK's lwip configuration. Allocated once. */
	readonly receiveBytes?: number;
	/** Longest request head. Default 1024. Allocated once. */
	readonly requestHeadBytes?: number;
	/** Told what `onDone` throws, which has nowhere else to go. */
	readonly onUncaught?: (cause: unknown) => void;
}

/** The idle time is counted in quarters, so that receiving a segment sets a number and not a timer. */
const IDLE_TICKS = 4;

/** starting and ending wait for a timer of 0 ms, so that `onDone` is never called from inside a call. */
type Phase = "idle" | "starting" | "connecting" | "exchanging" | "ending";

/** Its own handler, so that no closures are needed for that: a device holds two of these. */
export class TcpHttpClient implements HttpClient, TcpHandler {
	readonly #options: TcpHttpClientOptions;
	readonly #receiveBuffer: Uint8Array;
	readonly #head: Uint8Array;
	readonly #parser: ResponseParser;
	readonly #header = (name: string) => this.#parser.header(name);
	readonly #startTimer: TimerSlot;
	readonly #endTimer: TimerSlot;
	readonly #tickTimer: TimerSlot;
	readonly #totalTimer: TimerSlot;
	#phase: Phase = "idle";
	#isClosed = false;
	#connection: TcpConnection | undefined;
	#request: HttpRequest | undefined;
	#headBytes = 0;
	#bodyBytes = 0;
	#sentBytes = 0;
	#isReused = false;
	#hasReceived = false;
	#failure: HttpFailure | undefined;
	#quietTicks = 0;

	constructor(options: TcpHttpClientOptions) {
		this.#options = options;
		this.#receiveBuffer = new Uint8Array(options.receiveBytes ?? 1436);
		this.#head = new Uint8Array(options.requestHeadBytes ?? 1024);
		this.#parser = new ResponseParser({
			headerNames: options.headerNames ?? [],
			onHead: () => this.#deliverHead(),
			onBody: (buffer, offset, byteCount) => this.#deliverBody(buffer, offset, byteCount),
		});
		const { timer } = options;
		const onFault = (cause: unknown) => this.onFault(cause);
		this.#startTimer = new TimerSlot({ timer, onFault, onTime: () => this.#start() });
		this.#endTimer = new TimerSlot({ timer, onFault, onTime: () => this.#finish(this.#failure) });
		this.#tickTimer = new TimerSlot({ timer, onFault, onTime: () => this.#tick() });
		const onTotalTime = () => this.#finish({ code: "total-timeout" });
		this.#totalTimer = new TimerSlot({ timer, onFault, onTime: onTotalTime });
	}

	request(request: HttpRequest): void {
		if (this.#isClosed || this.#request !== undefined) {
			const code = this.#isClosed ? "closed" : "busy";
			this.#options.timer.set(() => this.#callDone(request, { code }), 0);
			return;
		}
		this.#startTimer.set(0);
		this.#request = request;
		this.#failure = undefined;
		this.#phase = "starting";
	}

	cancel(): void {
		this.#endLater("cancelled");
	}

	close(): void {
		this.#isClosed = true;
		this.#endLater("closed");
		this.#disconnect();
	}

	#start(): void {
		const request = this.#request;
		if (request === undefined) return;
		const head = this.#writeHead(request);
		if (typeof head === "string") {
			this.#finish({ code: head });
			return;
		}
		this.#headBytes = head;
		this.#totalTimer.set(request.totalTimeoutMs);
		this.#sentBytes = 0;
		this.#isReused = this.#connection?.wake() === true;
		if (this.#isReused) {
			this.#exchange(request);
			this.#send(request);
		} else this.#open(request);
	}

	/** Bytes of the head, which stays in its buffer in case it is sent twice; or what is wrong with the request. */
	#writeHead(request: HttpRequest): number | RequestError {
		const bodyLimitBytes = request.body?.length ?? 0;
		this.#bodyBytes = request.bodyBytes ?? bodyLimitBytes;
		if (this.#bodyBytes > bodyLimitBytes) return "bad-body-length";
		const hasLength = request.body !== undefined || request.method !== "GET";
		return writeRequestHead(this.#head, {
			method: request.method,
			path: request.path,
			host: this.#options.host,
			headers: request.headers,
			contentLengthBytes: hasLength ? this.#bodyBytes : undefined,
		});
	}

	#open(request: HttpRequest): void {
		const { stack, server, timer } = this.#options;
		this.#phase = "connecting";
		this.#sentBytes = 0;
		this.#tickTimer.set(request.connectTimeoutMs);
		try {
			this.#connection = new TcpConnection({
				...{ stack, timer, ...server },
				receiveBuffer: this.#receiveBuffer,
				handler: this,
			});
		} catch (cause) {
			this.#finish({ code: "connect-failed", cause });
		}
	}

	/** The connection stands, which its first byte sent shows; from then on it is listened to. */
	#exchange(request: HttpRequest): void {
		this.#phase = "exchanging";
		this.#hasReceived = false;
		this.#quietTicks = 0;
		this.#parser.begin(request.maxBodyBytes);
		this.#tickTimer.set(Math.ceil(request.idleTimeoutMs / IDLE_TICKS));
	}

	/** As much as is taken now; the rest waits for the next turn. */
	#send(request: HttpRequest): void {
		const totalBytes = this.#headBytes + this.#bodyBytes;
		while (this.#connection !== undefined && this.#sentBytes < totalBytes) {
			const isHead = this.#sentBytes < this.#headBytes;
			const source = isHead ? this.#head : (request.body ?? this.#head);
			const offset = isHead ? this.#sentBytes : this.#sentBytes - this.#headBytes;
			const endBytes = isHead ? this.#headBytes : this.#bodyBytes;
			const writtenBytes = this.#connection.write(source, offset, endBytes - offset);
			if (writtenBytes === 0) return;
			this.#sentBytes += writtenBytes;
			this.#quietTicks = 0;
		}
	}

	#tick(): void {
		const request = this.#request;
		if (request === undefined) return;
		this.#quietTicks += 1;
		if (this.#phase === "connecting") this.#finish({ code: "connect-timeout" });
		else if (this.#quietTicks > IDLE_TICKS) this.#finish({ code: "idle-timeout" });
		else this.#tickTimer.set(Math.ceil(request.idleTimeoutMs / IDLE_TICKS));
	}

	onTurn(): void {
		const request = this.#request;
		if (request === undefined || (this.#phase !== "connecting" && this.#phase !== "exchanging")) return;
		this.#send(request);
		if (this.#phase === "connecting" && this.#sentBytes > 0) this.#exchange(request);
	}

	/** For the head as well: what is read with it may be body. */
	wantedBytes(): number {
		if (this.#phase !== "exchanging") return Infinity;
		return Math.max(1, this.#request?.wantedBytes?.() ?? Infinity);
	}

	onData(buffer: Uint8Array, byteCount: number): boolean {
		if (this.#phase !== "exchanging" || this.#sentBytes === 0) {
			this.#finish({ code: "unexpected-data" });
			return false;
		}
		this.#quietTicks = 0;
		this.#hasReceived = true;
		const error = this.#parser.feed(buffer, 0, byteCount);
		if (this.#phase !== "exchanging") return false;
		if (error !== undefined) this.#failure ??= { code: error };
		if (this.#failure === undefined) return true;
		this.#finish(this.#failure);
		return false;
	}

	/** Not before all bytes that are there were seen: what follows the body in them is over-delivery. */
	onDataEnd(): void {
		if (this.#phase === "exchanging" && this.#parser.isDone) this.#finish(undefined);
	}

	onFault(cause: unknown): void {
		this.#finish({ code: "io-failed", cause });
	}

	onClosed(): void {
		this.#connection = undefined;
		const request = this.#request;
		if (request === undefined) return;
		if (this.#phase === "connecting") this.#finish({ code: "connect-failed" });
		if (this.#phase !== "exchanging") return;
		if (this.#hasReceived) this.#finish({ code: "response-truncated" });
		else if (this.#isReused && request.isRepeatable !== false) {
			this.#isReused = false;
			this.#open(request);
		} else this.#finish({ code: "connection-closed" });
	}

	#deliverHead(): void {
		if (this.#phase !== "exchanging") return;
		try {
			const goesOn = this.#request?.onHead?.(this.#parser.status, this.#header);
			if (goesOn === false) this.#failure ??= { code: "cancelled" };
		} catch (cause) {
			this.#failure ??= { code: "consumer-failed", cause };
		}
	}

	#deliverBody(buffer: Uint8Array, offset: number, byteCount: number): void {
		if (this.#phase !== "exchanging" || this.#failure !== undefined) return;
		try {
			const goesOn = this.#request?.onBody?.(buffer, offset, byteCount);
			if (goesOn === false) this.#failure ??= { code: "cancelled" };
		} catch (cause) {
			this.#failure ??= { code: "consumer-failed", cause };
		}
	}

	#endLater(code: "cancelled" | "closed"): void {
		if (this.#request === undefined || this.#phase === "ending") return;
		this.#clearTimers();
		this.#disconnect();
		this.#phase = "ending";
		this.#failure = { code };
		this.#endTimer.set(0);
	}

	#finish(failure: HttpFailure | undefined): void {
		const request = this.#request;
		const isSent = this.#sentBytes === this.#headBytes + this.#bodyBytes;
		this.#clearTimers();
		if (failure !== undefined || !isSent || !this.#parser.isKeepAlive) this.#disconnect();
		else this.#connection?.rest();
		this.#request = undefined;
		this.#phase = "idle";
		if (request !== undefined) this.#callDone(request, failure);
	}

	#callDone(request: HttpRequest, failure: HttpFailure | undefined): void {
		try {
			request.onDone(failure);
		} catch (cause) {
			try {
				this.#options.onUncaught?.(cause);
			} catch {
				// Thrown further, it would reach native code, where it restarts the chip.
			}
		}
	}

	#disconnect(): void {
		this.#connection?.close();
		this.#connection = undefined;
	}

	#clearTimers(): void {
		for (const timer of [this.#startTimer, this.#endTimer, this.#tickTimer, this.#totalTimer]) timer.clear();
	}
}
