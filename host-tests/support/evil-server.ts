// A server of bare bytes: each request is answered by a script, which may send anything, in any pieces, or nothing. For
// tests of a firmware that must survive every server.

import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface EvilAnswer {
	/** Counts the requests of all connections, from 1. */
	readonly number: number;
	readonly head: string;
	send(bytes: string | Uint8Array): Promise<void>;
	sleep(ms: number): Promise<void>;
	/** Ends the connection in order. */
	end(): void;
	/** Resets it. */
	reset(): void;
	/** True once the device has left. */
	readonly isGone: boolean;
}

export type EvilScript = (answer: EvilAnswer) => Promise<void> | void;

export class EvilServer {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#connectionCount = 0;
	#requestCount = 0;

	static async start(script: EvilScript): Promise<EvilServer> {
		const server = new EvilServer(script);
		await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
		return server;
	}

	private constructor(script: EvilScript) {
		this.#server = createServer((socket) => {
			this.#connectionCount++;
			this.#sockets.add(socket);
			socket.on("error", () => socket.destroy());
			socket.on("close", () => this.#sockets.delete(socket));
			let received = "";
			socket.on("data", (bytes) => {
				received += bytes.toString("latin1");
				const length = requestLength(received);
				if (length === undefined || received.length < length) return;
				const head = received.slice(0, received.indexOf("\r\n\r\n"));
				received = received.slice(length);
				void run(script, answerOf(socket, head, ++this.#requestCount));
			});
		});
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	get connectionCount(): number {
		return this.#connectionCount;
	}

	get requestCount(): number {
		return this.#requestCount;
	}

	async close(): Promise<void> {
		for (const socket of this.#sockets) socket.destroy();
		await new Promise<void>((resolve) => this.#server.close(() => resolve()));
	}
}

function requestLength(received: string): number | undefined {
	const end = received.indexOf("\r\n\r\n");
	if (end < 0) return undefined;
	const length = /^content-length: *([0-9]+)/im.exec(received.slice(0, end))?.[1] ?? "0";
	return end + 4 + Number(length);
}

async function run(script: EvilScript, answer: EvilAnswer): Promise<void> {
	try {
		await script(answer);
	} catch {
		answer.reset();
	}
}

function answerOf(socket: Socket, head: string, number: number): EvilAnswer {
	return {
		number,
		head,
		send: (bytes) =>
			new Promise((resolve, reject) => {
				if (socket.destroyed) reject(new Error("the device has left"));
				else socket.write(bytes, (error) => (error ? reject(error) : resolve()));
			}),
		sleep: (ms) => sleep(ms),
		end: () => socket.end(),
		reset: () => socket.resetAndDestroy(),
		get isGone() {
			return socket.destroyed;
		},
	};
}
