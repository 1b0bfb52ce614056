// UDP sockets that keep what is sent and deliver what the test says, with the shapes of the SDK's lwip implementation.
import type { UdpSocket, UdpSocketOptions } from "../../src/adapters/udp-socket.js";

export interface Sent {
	readonly bytes: Buffer;
	readonly address: string;
	readonly port: number;
}

type Incoming = NonNullable<ReturnType<UdpSocket["read"]>>;

export class FakeUdpNetwork {
	readonly sockets: FakeUdp[] = [];
	readonly sent: Sent[] = [];
	/** Thrown by the constructor, or by write. */
	openFault: Error | undefined;
	writeFault: Error | undefined;
	/** What left a callback: on the chip each would have been a restart. */
	readonly escaped: unknown[] = [];
	readonly io: new (
		options: UdpSocketOptions,
	) => UdpSocket;

	constructor() {
		const network = this;
		this.io = class extends FakeUdp {
			constructor(options: UdpSocketOptions) {
				super(options, network);
				if (network.openFault) throw network.openFault;
				network.sockets.push(this);
			}
		};
	}

	get last(): FakeUdp {
		const socket = this.sockets.at(-1);
		if (socket === undefined) throw new Error("no socket");
		return socket;
	}

	/** Takes what was sent since the last call. */
	takeSent(): Sent[] {
		return this.sent.splice(0);
	}
}

export class FakeUdp implements UdpSocket {
	readonly options: UdpSocketOptions;
	readonly groups: string[] = [];
	isClosed = false;
	readonly #network: FakeUdpNetwork;
	#waiting: Incoming[] = [];

	constructor(options: UdpSocketOptions, network: FakeUdpNetwork) {
		this.options = options;
		this.#network = network;
	}

	read(): Incoming | undefined {
		return this.#waiting.shift();
	}

	write(buffer: Uint8Array, address: string, port: number): void {
		if (this.#network.writeFault) throw this.#network.writeFault;
		this.#network.sent.push({ bytes: Buffer.from(buffer), address, port });
	}

	add(address: string): void {
		this.groups.push(address);
	}

	close(): void {
		this.isClosed = true;
	}

	/** All at once, as when the device was busy. */
	deliver(address: string, port: number, ...datagrams: readonly Uint8Array[]): void {
		if (this.isClosed) return;
		for (const bytes of datagrams)
			this.#waiting.push(Object.assign(Uint8Array.from(bytes).buffer, { address, port }));
		try {
			this.options.onReadable(this.#waiting.length);
		} catch (cause) {
			this.#network.escaped.push(cause);
		}
	}
}
