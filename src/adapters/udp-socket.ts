// The part of `embedded:io/socket/udp` that is used, injected so that tests can put in their own, and one guarded socket
// over it. Used by wall-clock and discovery. It must not know what is sent.

import type { Timer } from "../update/ports.js";

/** As in the SDK's lwip implementation: `read` allocates what it returns; a datagram's end beyond 1.5 KB may be missing. */
export interface UdpSocket {
	read(): (ArrayBuffer & { readonly address: string; readonly port: number }) | undefined;
	write(buffer: Uint8Array, address: string, port: number): void;
	/** Joins a multicast group on the interfaces that have an address now. */
	add(address: string): void;
	close(): void;
}

export interface UdpSocketOptions {
	/** Default: one that the system gives. */
	readonly port?: number;
	readonly timeToLive?: number;
	/** Told of all that waits, once something new does; not again of what was left unread. */
	readonly onReadable: (count: number) => void;
}

/** Throws without a network. */
export type UdpSocketClass = new (options: UdpSocketOptions) => UdpSocket;

export interface Datagram {
	readonly bytes: Uint8Array;
	readonly address: string;
	readonly port: number;
}

export interface UdpChannelOptions {
	readonly io: UdpSocketClass;
	readonly timer: Timer;
	readonly port?: number;
	readonly timeToLive?: number;
	/** Group to join. */
	readonly group?: string;
	readonly onDatagram: (datagram: Datagram) => void;
	/** Told what onDatagram or the socket throws. Must not throw. */
	readonly onFault: (cause: unknown) => void;
}

/** Datagrams handed on in one turn; the next ones in a later turn, so that a flood holds nothing else up. */
const DATAGRAMS_MAX = 2;
/** Datagrams that may wait for their turn, each in a buffer of the network's; the oldest beyond are thrown away. */
const WAITING_MAX = 8;

export class UdpChannel {
	readonly #options: UdpChannelOptions;
	#socket: UdpSocket | undefined;
	/** In the socket, as far as it has told. */
	#waitingCount = 0;
	/** Set while a later turn is due. */
	#timer: unknown;

	/** Throws what the socket class throws. */
	constructor(options: UdpChannelOptions) {
		this.#options = options;
		const { io, port, timeToLive, group } = options;
		this.#socket = new io({
			...(port !== undefined && { port }),
			...(timeToLive !== undefined && { timeToLive }),
			onReadable: (count) => this.#onReadable(count),
		});
		try {
			if (group !== undefined) this.#socket.add(group);
		} catch (cause) {
			this.close();
			throw cause;
		}
	}

	/** Best effort, as datagrams are: false when it could not be sent. */
	write(buffer: Uint8Array, address: string, port: number): boolean {
		try {
			this.#socket?.write(buffer, address, port);
			return true;
		} catch {
			return false;
		}
	}

	/** Idempotent. Nothing is called any more. */
	close(): void {
		const socket = this.#socket;
		this.#socket = undefined;
		this.#waitingCount = 0;
		this.#options.timer.clear(this.#timer);
		this.#timer = undefined;
		try {
			socket?.close();
		} catch {
			// Out of reach already.
		}
	}

	/** Called by native code, where a throw would restart the chip. */
	#onReadable(count: number): void {
		try {
			for (this.#waitingCount = count; this.#waitingCount > WAITING_MAX; this.#waitingCount--)
				this.#socket?.read();
		} catch (cause) {
			this.#options.onFault(cause);
		}
		if (this.#timer === undefined) this.#takeTurn();
	}

	#takeTurn(): void {
		try {
			for (let i = 0; i < DATAGRAMS_MAX && this.#waitingCount > 0; i++) {
				this.#waitingCount -= 1;
				const data = this.#socket?.read();
				if (data === undefined) continue;
				this.#options.onDatagram({ bytes: new Uint8Array(data), address: data.address, port: data.port });
			}
		} catch (cause) {
			this.#options.onFault(cause);
		}
		if (this.#waitingCount === 0) return;
		this.#timer = this.#options.timer.set(() => {
			this.#timer = undefined;
			this.#takeTurn();
		}, 0);
	}
}
