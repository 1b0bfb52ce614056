// The device's own server on the local network: listens, takes a few connections at a time, closes the others. Built by
// composition/push. It must not know what is asked. Without a network it tries again, for ever.

import type { Refusal } from "../http/refusal.js";
import type { Log } from "../update/ports.js";
import { describeCause } from "./cause.js";
import { PushConnection } from "./push-connection.js";
import type { TakenSocketClass, TcpSocket } from "./tcp-connection.js";
import { type TimerPort, TimerSlot } from "./timer-slot.js";

/** Each costs about 7 KB while it is there; two, so that a stalled one does not hide the device. */
export const CONNECTIONS_MAX = 2;
/** Between two attempts to listen. */
export const LISTEN_REST_MS = 10_000;

/** The part of `embedded:io/socket/listener` that is used. */
export interface ListenerSocket {
	read(): TcpSocket | undefined;
	close(): void;
}

export type ListenerClass = new (options: {
	readonly port: number;
	readonly onReadable: (connectionCount: number) => void;
}) => ListenerSocket;

export interface PushServerOptions {
	readonly listener: ListenerClass;
	readonly taking: TakenSocketClass;
	readonly port: number;
	readonly timer: TimerPort;
	readonly log: Log;
	readonly serve: (connection: PushConnection, refusal: Refusal | undefined) => void;
}

export class PushServer {
	readonly #options: PushServerOptions;
	readonly #retryTimer: TimerSlot;
	#listener: ListenerSocket | undefined;
	#connections: readonly PushConnection[] = [];
	/** Said once, not at every attempt. */
	#isFailureLogged = false;

	constructor(options: PushServerOptions) {
		this.#options = options;
		const onFault = (cause: unknown) => options.log.write("error", `push server: ${describeCause(cause)}`);
		this.#retryTimer = new TimerSlot({ timer: options.timer, onTime: () => this.start(), onFault });
	}

	/** Never throws. */
	start(): void {
		const { listener, port, log } = this.#options;
		if (this.#listener !== undefined) return;
		try {
			this.#listener = new listener({ port, onReadable: (count) => this.#accept(count) });
			this.#isFailureLogged = false;
			log.write("info", `push server on port ${port}`);
		} catch (cause) {
			if (!this.#isFailureLogged) log.write("warn", `push server not yet: ${describeCause(cause)}`);
			this.#isFailureLogged = true;
			this.#retryTimer.set(LISTEN_REST_MS);
		}
	}

	/** Closes everything; start() opens it again. */
	stop(): void {
		this.#retryTimer.clear();
		this.#listener?.close();
		this.#listener = undefined;
		for (const connection of this.#connections) connection.close();
	}

	/** Each waiting connection is taken, or its socket would never be freed. */
	#accept(connectionCount: number): void {
		try {
			for (let count = 0; count < connectionCount; count += 1) {
				const socket = this.#listener?.read();
				if (socket === undefined) return;
				this.#admit(socket);
			}
		} catch (cause) {
			this.#options.log.write("warn", `push server: ${describeCause(cause)}`);
		}
	}

	#admit(from: TcpSocket): void {
		const { taking, timer, serve } = this.#options;
		if (this.#connections.length >= CONNECTIONS_MAX)
			this.#connections.find((connection) => connection.isExpendable)?.close();
		if (this.#connections.length >= CONNECTIONS_MAX) {
			from.close();
			return;
		}
		try {
			const connection = new PushConnection({
				taking,
				from,
				timer,
				onHead: serve,
				onClosed: (closed) => {
					this.#connections = this.#connections.filter((other) => other !== closed);
				},
			});
			this.#connections = [...this.#connections, connection];
		} catch {
			// Reset by the other side before it was taken; the socket itself is still ours to free.
			from.close();
		}
	}
}
