// The device's own server on the local network: looks at its port again and again, takes a few connections at a time,
// closes the others. Built by composition/push. It must not know what is asked. It opens when the network comes up for
// the first time (before that there is no network stack to ask) and stays open.

import type { FotaSockets } from "../native/fota-sockets.js";
import type { Clock, Log } from "../update/ports.js";
import { describeCause } from "./cause.js";
import type { NetworkListener } from "./network.js";
import { PushConnection, type PushHost } from "./push-connection.js";
import { type RepeatingTimerPort, TimerSlot } from "./timer-slot.js";

/**
 * Each costs about 8 KB while it is there; two, so that a stalled one does not hide the device. The manifest's heap has room
 * for both beside an update: a firmware whose memory is full while on trial would be rolled back (threat: whoever asks).
 */
export const CONNECTIONS_MAX = 2;
/** Between two attempts to listen. */
export const LISTEN_REST_MS = 10_000;
/** Between two looks while nobody is there: nobody minds that wait, and it costs a device at rest next to nothing. */
export const IDLE_POLL_MS = 250;
/** Between two looks while somebody is: what the window holds is taken 50 times a second, faster than flash is written. */
export const BUSY_POLL_MS = 20;
/** In one turn; who comes behind them waits for the next. */
const ACCEPTS_MAX = 8;

/** Of FotaSockets: an end is a number, and nothing throws but listen(). */
export type InboundSockets = Pick<FotaSockets, "listen" | "accept" | "stop"> & PushHost["sockets"];

export interface PushServerOptions {
	readonly sockets: InboundSockets;
	readonly port: number;
	readonly timer: RepeatingTimerPort;
	readonly clock: Clock;
	readonly log: Log;
	readonly serve: PushHost["onHead"];
}

export class PushServer implements NetworkListener {
	readonly #options: PushServerOptions;
	readonly #retryTimer: TimerSlot;
	readonly #look = () => this.#poll();
	readonly #host: PushHost;
	#isOpen = false;
	#pollTimer: unknown;
	#pollMs = 0;
	#connections: readonly PushConnection[] = [];
	/** Said once, not at every attempt. */
	#isFailureLogged = false;

	constructor(options: PushServerOptions) {
		this.#options = options;
		const onFault = (cause: unknown) => options.log.write("error", `push server: ${describeCause(cause)}`);
		const { sockets, clock, serve } = options;
		const onClosed = (closed: PushConnection) => {
			this.#connections = this.#connections.filter((other) => other !== closed);
		};
		this.#host = { sockets, clock, onHead: serve, onClosed };
		this.#retryTimer = new TimerSlot({ timer: options.timer, onTime: () => this.start(), onFault });
	}

	/** Another address, or none for a while, does not concern a port that is open. */
	networkUp(): void {
		this.start();
	}

	/** Never throws. */
	start(): void {
		const { sockets, port, log } = this.#options;
		if (this.#isOpen) return;
		try {
			sockets.listen(port);
			this.#isOpen = true;
			this.#pollEvery(IDLE_POLL_MS);
			this.#isFailureLogged = false;
			log.write("info", `push server on port ${port}`);
		} catch (cause) {
			this.#isOpen = false;
			if (!this.#isFailureLogged) log.write("warn", `push server not yet: ${describeCause(cause)}`);
			this.#isFailureLogged = true;
			this.#retryTimer.set(LISTEN_REST_MS);
		}
	}

	/** Closes everything; start() opens it again. */
	stop(): void {
		this.#retryTimer.clear();
		this.#pollEvery(0);
		this.#isOpen = false;
		for (const connection of this.#connections) connection.close();
		this.#options.sockets.stop();
	}

	/** 0: not any more. */
	#pollEvery(intervalMs: number): void {
		if (intervalMs === this.#pollMs) return;
		const { timer } = this.#options;
		if (this.#pollMs > 0) timer.clear(this.#pollTimer);
		this.#pollMs = 0;
		if (intervalMs > 0) this.#pollTimer = timer.repeat(this.#look, intervalMs);
		this.#pollMs = intervalMs;
	}

	/** A throw that reached the native code behind the timer would restart the chip. */
	#poll(): void {
		try {
			const connections = this.#connections;
			for (let at = 0; at < connections.length; at += 1) connections[at]?.poll();
			this.#accept();
			this.#pollEvery(this.#connections.length > 0 ? BUSY_POLL_MS : IDLE_POLL_MS);
		} catch (cause) {
			this.#options.log.write("error", `push server: ${describeCause(cause)}`);
		}
	}

	#accept(): void {
		for (let count = 0; count < ACCEPTS_MAX; count += 1) {
			const handle = this.#options.sockets.accept();
			if (handle < 0) return;
			this.#admit(handle);
		}
	}

	#admit(handle: number): void {
		if (this.#connections.length >= CONNECTIONS_MAX)
			this.#connections.find((connection) => connection.isExpendable)?.close();
		if (this.#connections.length >= CONNECTIONS_MAX) {
			this.#options.sockets.close(handle);
			return;
		}
		const connection = new PushConnection(this.#host, handle);
		this.#connections = [...this.#connections, connection];
		// Whoever is gone already leaves the place to the next in this turn.
		connection.poll();
	}
}
