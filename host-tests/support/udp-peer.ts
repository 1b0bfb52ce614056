// A UDP socket on loopback for tests, and messages of DNS made by hand: another implementation than the one under test.
// Ends with the test.
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { onTestFinished } from "vitest";

export interface Received {
	readonly bytes: Buffer;
	readonly from: RemoteInfo;
}

export class UdpPeer {
	readonly port: number;
	readonly received: Received[] = [];
	readonly #socket: Socket;
	/** Called for each datagram. */
	onReceived: ((received: Received) => void) | undefined;

	static async open(): Promise<UdpPeer> {
		const socket = createSocket("udp4");
		socket.bind(0, "127.0.0.1");
		await once(socket, "listening");
		const peer = new UdpPeer(socket);
		onTestFinished(() => void socket.close());
		return peer;
	}

	private constructor(socket: Socket) {
		this.#socket = socket;
		this.port = socket.address().port;
		socket.on("message", (bytes, from) => {
			const received = { bytes, from };
			this.received.push(received);
			this.onReceived?.(received);
		});
	}

	send(bytes: Uint8Array, port: number): void {
		this.#socket.send(bytes, port, "127.0.0.1");
	}
}

/** Labels and a root, uncompressed. */
export function dnsName(name: string): Buffer {
	const labels = name === "" ? [] : name.split(".");
	return Buffer.concat([
		...labels.map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
		Buffer.from([0]),
	]);
}

export function u16(...values: readonly number[]): Buffer {
	return Buffer.from(values.flatMap((value) => [(value >> 8) & 255, value & 255]));
}

export interface DnsQuery {
	readonly id?: number;
	readonly name: string;
	readonly type: number;
	readonly classWord?: number;
}

export function dnsQuery({ id = 0, name, type, classWord = 1 }: DnsQuery): Buffer {
	return Buffer.concat([u16(id, 0, 1, 0, 0, 0), dnsName(name), u16(type, classWord)]);
}

/** A response or, with `flags` 0, a probe that proposes the record. */
export function dnsAddress(options: {
	readonly name: string;
	readonly address: readonly number[];
	readonly isProbe?: boolean;
	readonly ttlSeconds?: number;
}): Buffer {
	const { name, address, isProbe = false, ttlSeconds = 120 } = options;
	const record = Buffer.concat([dnsName(name), u16(1, 0x8001, 0, ttlSeconds, 4), Buffer.from(address)]);
	if (isProbe) return Buffer.concat([u16(0, 0, 1, 0, 1, 0), dnsName(name), u16(255, 1), record]);
	return Buffer.concat([u16(0, 0x8400, 0, 1, 0, 0), record]);
}
