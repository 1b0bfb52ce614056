// One TCP connection of the device's: finds the address, opens it, looks at it again and again while something is wanted
// of it, reads into one fixed buffer, and lets no exception out into the native code behind the timer. Called by
// tcp-http-client. It must not know HTTP, nor when a connection is worth keeping.

import type { FotaSockets } from "../native/fota-sockets.js";
import type { Resolver } from "./resolver.js";
import { numericAddress } from "./server-address.js";
import type { RepeatingTimerPort } from "./timer-slot.js";

/** Between two looks while something moves: at 50 ms to the server that costs 4 % of the time, at most. */
export const QUICK_POLL_MS = 4;
/** Between two looks while nothing does: an answer may come so much later. */
export const SLOW_POLL_MS = 20;
/** Looks in which nothing moved, until they become slow; 200 ms, within which most answers begin. */
const QUICK_LOOKS = 50;
/** Read in one look: a whole receive window (CONFIG_LWIP_TCP_WND_DEFAULT), and no more, however fast the server is. */
const POLL_BYTES = 16_384;

/** Of FotaSockets: an end is a number, and nothing throws. */
export type TcpSockets = Pick<FotaSockets, "connect" | "read" | "write" | "close">;

/** What connections are made of. */
export interface TcpStack {
	readonly sockets: TcpSockets;
	/** Without it only addresses in digits lead anywhere. */
	readonly resolver?: Pick<Resolver, "resolve">;
}

export interface TcpHandler {
	/** Whatever there is to write may be written now. Begins each look. */
	onTurn(): void;
	/** Most bytes to read next, at least 1. */
	wantedBytes(): number;
	/** Bytes 0 to `byteCount` of the receive buffer are new. False: read no further in this look. */
	onData(buffer: Uint8Array, byteCount: number): boolean;
	/** All bytes that are there by now have been handed to `onData`. */
	onDataEnd(): void;
	/** No connection came about, or the other side has gone; it is already closed here. */
	onClosed(): void;
	/** Something threw that should not, a handler perhaps; the connection is already closed here. */
	onFault(cause: unknown): void;
}

export interface TcpConnectionOptions {
	readonly stack: TcpStack;
	readonly timer: RepeatingTimerPort;
	/** IPv4 in digits, or a name. */
	readonly address: string;
	/** 1 to 65535. */
	readonly port: number;
	/** Filled from its start, again and again. */
	readonly receiveBuffer: Uint8Array;
	readonly handler: TcpHandler;
}

export class TcpConnection {
	readonly #sockets: TcpSockets;
	readonly #timer: RepeatingTimerPort;
	readonly #receiveBuffer: Uint8Array;
	readonly #handler: TcpHandler;
	readonly #look = () => this.#poll();
	/** 0: it has none yet, or none any more. */
	#handle = 0;
	/** Of the name that is being resolved. */
	#callOff: (() => void) | undefined;
	#pollTimer: unknown;
	/** Looks since something moved. */
	#quietCount = 0;
	/** `onDataEnd` is owed. */
	#hasRead = false;
	/** Writing has failed: the end shows when what had come is read. */
	#isWriteOver = false;

	/** Throws if it cannot begin (no way to the network, no place free); then there is nothing to close. Never calls the handler. */
	constructor(options: TcpConnectionOptions) {
		const { stack, address, port } = options;
		this.#sockets = stack.sockets;
		this.#timer = options.timer;
		this.#receiveBuffer = options.receiveBuffer;
		this.#handler = options.handler;
		const digits = numericAddress(address);
		if (digits === undefined) {
			if (stack.resolver === undefined) throw new Error("no resolver");
			this.#callOff = stack.resolver.resolve(address, (found) => this.#resolved(found, port));
			return;
		}
		const handle = this.#connect(digits, port);
		if (handle <= 0) throw new Error(`cannot connect, errno ${-handle}`);
	}

	/** Writes as much of it as is taken now and returns how much; 0 also while it does not stand, and after its end. */
	write(source: Uint8Array, offset: number, byteCount: number): number {
		if (this.#handle === 0 || this.#isWriteOver) return 0;
		const writtenBytes = this.#sockets.write(this.#handle, source, offset, byteCount);
		if (writtenBytes > 0) this.#quietCount = 0;
		this.#isWriteOver = writtenBytes < 0;
		return Math.max(writtenBytes, 0);
	}

	/** Nothing is wanted of it for now: it is not looked at until wake(). */
	rest(): void {
		const timer = this.#pollTimer;
		this.#pollTimer = undefined;
		if (timer !== undefined) this.#timer.clear(timer);
	}

	/**
	 * Looked at again, after rest(). False: it is good for nothing, since it has ended meanwhile or said what nobody asked
	 * for; then it is closed.
	 */
	wake(): boolean {
		if (this.#handle !== 0 && this.#read(this.#receiveBuffer.length) === 0) {
			this.#startPolling();
			return true;
		}
		this.close();
		return false;
	}

	/** Idempotent. No handler is called any more once it returns. */
	close(): void {
		const handle = this.#handle;
		this.#handle = 0;
		this.#callOff?.();
		this.#callOff = undefined;
		this.rest();
		if (handle !== 0) this.#sockets.close(handle);
	}

	#resolved(address: string | undefined, port: number): void {
		this.#callOff = undefined;
		try {
			if (address !== undefined && this.#connect(address, port) > 0) return;
			this.close();
			this.#handler.onClosed();
		} catch (cause) {
			this.#fault(cause);
		}
	}

	/** As FotaSockets.connect(). */
	#connect(address: string, port: number): number {
		const handle = this.#sockets.connect(address, port);
		if (handle <= 0) return handle;
		this.#handle = handle;
		this.#startPolling();
		return handle;
	}

	/** A timer that cannot be had must not cost the place. */
	#startPolling(): void {
		this.#quietCount = 0;
		try {
			this.#pollTimer = this.#timer.repeat(this.#look, QUICK_POLL_MS);
		} catch (cause) {
			this.close();
			throw cause;
		}
	}

	/** The next look is counted from the end of this one: after a long turn of others they do not pile up. */
	#poll(): void {
		try {
			this.#quietCount += 1;
			this.#handler.onTurn();
			this.#drain();
			if (this.#pollTimer === undefined) return;
			const restMs = this.#quietCount < QUICK_LOOKS ? QUICK_POLL_MS : SLOW_POLL_MS;
			this.#timer.schedule(this.#pollTimer, restMs, restMs);
		} catch (cause) {
			this.#fault(cause);
		}
	}

	/** Until nothing is there, nothing is wanted, or it was enough for one look. */
	#drain(): void {
		for (let restBytes = POLL_BYTES; restBytes > 0 && this.#pollTimer !== undefined; ) {
			const wantedBytes = Math.min(restBytes, this.#receiveBuffer.length, this.#handler.wantedBytes());
			const readBytes = this.#read(Math.max(1, Math.floor(wantedBytes)));
			if (readBytes <= 0) {
				this.#endLook(readBytes < 0 || this.#isWriteOver);
				return;
			}
			restBytes -= readBytes;
			this.#quietCount = 0;
			this.#hasRead = true;
			if (!this.#handler.onData(this.#receiveBuffer, readBytes)) return;
		}
	}

	#read(byteCount: number): number {
		return this.#sockets.read(this.#handle, this.#receiveBuffer, 0, byteCount);
	}

	/** Everything that is there was read; `isOver`: and there will be no more. */
	#endLook(isOver: boolean): void {
		if (this.#hasRead) {
			this.#hasRead = false;
			this.#handler.onDataEnd();
		}
		if (!isOver || this.#handle === 0) return;
		this.close();
		this.#handler.onClosed();
	}

	#fault(cause: unknown): void {
		this.close();
		try {
			this.#handler.onFault(cause);
		} catch {
			// Thrown further, it would reach native code, where it restarts the chip.
		}
	}
}
