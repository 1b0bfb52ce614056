// A gate on the way to a server: passes bytes on as they come; when it is shut, nobody listens at its port and its
// connections are ended. Used by cloud-world.ts. It must not know what the bytes mean.
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class ServerGate {
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	#port = 0;
	#upstreamPort = 0;
	/** Bytes that may still pass to clients. */
	#leftBytes = Number.POSITIVE_INFINITY;

	/** At a port that the system gives. */
	static async open(): Promise<ServerGate> {
		const gate = new ServerGate();
		await gate.#listen();
		return gate;
	}

	private constructor() {
		this.#server = createServer((near) => this.#accept(near));
	}

	/** The same from the first opening on. */
	get port(): number {
		return this.#port;
	}

	/** Leads to another server from now on, and is open. */
	async leadTo(upstreamPort: number): Promise<void> {
		this.#upstreamPort = upstreamPort;
		this.close();
		await this.openAgain();
	}

	/** Once that many more bytes have passed to clients; 0: now. */
	shut(afterBytes: number): void {
		this.#leftBytes = afterBytes;
		if (afterBytes === 0) this.close();
	}

	async openAgain(): Promise<void> {
		this.#leftBytes = Number.POSITIVE_INFINITY;
		if (!this.#server.listening) await this.#listen();
	}

	/** Now. What has passed already still arrives. */
	close(): void {
		if (this.#server.listening) this.#server.close();
		for (const socket of this.#sockets) socket.destroySoon();
	}

	async #listen(): Promise<void> {
		await new Promise<void>((resolve, reject) => {
			this.#server.once("error", reject);
			this.#server.listen(this.#port, "127.0.0.1", () => {
				this.#server.off("error", reject);
				resolve();
			});
		});
		this.#port = (this.#server.address() as AddressInfo).port;
	}

	#accept(near: Socket): void {
		const far = connect({ port: this.#upstreamPort, host: "127.0.0.1", noDelay: true });
		near.setNoDelay(true);
		for (const [socket, other] of [
			[near, far],
			[far, near],
		] as const) {
			this.#sockets.add(socket);
			socket.on("error", () => undefined); // what follows is "close"
			socket.on("close", () => {
				this.#sockets.delete(socket);
				other.destroySoon();
			});
		}
		near.pipe(far);
		far.on("data", (piece: Buffer) => this.#pass(piece, near));
	}

	#pass(piece: Buffer, near: Socket): void {
		if (!near.writable) return;
		const passed = piece.subarray(0, this.#leftBytes);
		this.#leftBytes -= passed.length;
		near.write(passed);
		if (this.#leftBytes === 0) this.close();
	}
}
