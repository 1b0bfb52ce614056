// A TCP socket class that behaves like the SDK's over lwip, driven by a test in the place of network and
// server: read fills the whole buffer or throws, write takes all or throws, onError comes after the last
// unread byte, nothing comes after close, and what escapes a callback would restart the chip.

import type { TcpSocket, TcpSocketClass, TcpSocketOptions } from "../../src/adapters/tcp-connection.js";

const SEND_BUFFER_BYTES = 2048;

export class FakeTcp implements TcpSocket {
	readonly options: TcpSocketOptions;
	readonly #network: FakeNetwork;
	#unread: number[] = [];
	#isConnected = false;
	#hasEnded = false;
	isClosed = false;
	writableBytes: number;
	sent = "";

	constructor(network: FakeNetwork, options: TcpSocketOptions) {
		this.#network = network;
		this.options = options;
		this.writableBytes = network.sendBufferBytes;
	}

	read(buffer: Uint8Array): number | undefined {
		if (this.isClosed) throw new Error("read after close");
		if (this.#unread.length === 0) return undefined;
		if (buffer.length > this.#unread.length || buffer.length === 0) throw new Error("invalid");
		buffer.set(this.#unread.splice(0, buffer.length));
		if (this.#network.readFails) throw new Error("read failed");
		return buffer.length;
	}

	write(buffer: Uint8Array): number | undefined {
		if (this.isClosed) throw new Error("write after close");
		if (!this.#isConnected) throw new Error("not ready");
		if (buffer.length > this.writableBytes) throw new Error("would block");
		if (this.#network.writeFails) throw new Error("write failed");
		this.writableBytes -= buffer.length;
		this.sent += String.fromCharCode(...buffer);
		return this.writableBytes;
	}

	close(): void {
		this.isClosed = true;
	}

	/** The server takes the connection. */
	accept(): void {
		this.#isConnected = true;
		this.#call(() => this.options.onWritable(this.writableBytes));
	}

	/** The server acknowledges: so many bytes may be written again. */
	acknowledge(byteCount: number): void {
		this.writableBytes += byteCount;
		this.#call(() => this.options.onWritable(this.writableBytes));
	}

	/** The server's bytes come, announced at once or in pieces. */
	receive(bytes: string | Uint8Array, pieceBytes = Number.MAX_SAFE_INTEGER): void {
		const all =
			typeof bytes === "string" ? Array.from(bytes, (character) => character.charCodeAt(0)) : [...bytes];
		for (let at = 0; at < all.length && !this.isClosed; at += pieceBytes) {
			this.#unread.push(...all.slice(at, at + pieceBytes));
			this.#call(() => this.options.onReadable(this.#unread.length));
		}
		if (this.#hasEnded && this.#unread.length === 0) this.#call(() => this.options.onError());
	}

	/** The server closes, resets or refuses. */
	end(): void {
		this.#hasEnded = true;
		if (this.#unread.length === 0) this.#call(() => this.options.onError());
	}

	#call(callback: () => void): void {
		if (this.isClosed) return;
		try {
			callback();
		} catch (error) {
			this.#network.escaped.push(error);
		}
	}
}

export class FakeNetwork {
	readonly connections: FakeTcp[] = [];
	readonly escaped: unknown[] = [];
	sendBufferBytes = SEND_BUFFER_BYTES;
	isDown = false;
	readFails = false;
	writeFails = false;
	readonly io: TcpSocketClass;

	constructor() {
		const network = this;
		this.io = class extends FakeTcp {
			constructor(options: TcpSocketOptions) {
				if (network.isDown) throw new Error("no network");
				super(network, options);
				network.connections.push(this);
			}
		};
	}

	/** The newest connection. */
	get last(): FakeTcp {
		const connection = this.connections.at(-1);
		if (connection === undefined) throw new Error("no connection was opened");
		return connection;
	}

	get openCount(): number {
		return this.connections.filter((connection) => !connection.isClosed).length;
	}
}
