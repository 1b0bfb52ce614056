// The chip's connections (FotaSockets), driven by a test in the place of network and peers. As there: a few places each
// for those of others and for its own, handles that are not given twice, an end that is a number and comes behind what had
// arrived, and nothing that throws but listen() and a wrong handle.

import type { InboundSockets } from "../../src/adapters/push-server.js";
import type { TcpSockets } from "../../src/adapters/tcp-connection.js";

const INBOUND_PLACES = 3;
const OUTBOUND_PLACES = 4;
const SEND_BUFFER_BYTES = 5744;
/** As lwip's error, where there is no way to the network. */
export const EHOSTUNREACH = 118;
const ENFILE = 23;

export interface FakePeerOptions {
	/** By its own connect. */
	readonly isAccepted: boolean;
	/** Whom the device has called. */
	readonly address?: string;
	readonly port?: number;
	readonly sendBufferBytes: number;
	/** Something has happened that the device may look at. */
	readonly onMoved: () => void;
}

/** Somebody who has connected, or whom the device has. */
export class FakePeer {
	readonly options: FakePeerOptions;
	readonly unread: number[] = [];
	isAccepted: boolean;
	hasEnded = false;
	/** By the device. */
	isClosed = false;
	writableBytes: number;
	/** By the device. */
	sent = "";

	constructor(options: FakePeerOptions) {
		this.options = options;
		this.isAccepted = options.isAccepted;
		this.writableBytes = options.sendBufferBytes;
	}

	/** Takes the device's connection. */
	accept(): void {
		this.isAccepted = true;
		this.#moved();
	}

	/** Says it, at once or in pieces; the device looks after each. */
	receive(bytes: string | Uint8Array, pieceBytes = Number.MAX_SAFE_INTEGER): void {
		const all =
			typeof bytes === "string" ? Array.from(bytes, (character) => character.charCodeAt(0)) : [...bytes];
		for (let at = 0; at < all.length && !this.isClosed; at += pieceBytes) {
			for (const byte of all.slice(at, at + pieceBytes)) this.unread.push(byte);
			this.#moved();
		}
	}

	/** Closes, resets, refuses. */
	end(): void {
		this.hasEnded = true;
		this.#moved();
	}

	/** So many more bytes may be sent to it. */
	acknowledge(byteCount: number): void {
		this.writableBytes += byteCount;
		this.#moved();
	}

	#moved(): void {
		if (!this.isClosed) this.options.onMoved();
	}
}

export class FakeSockets implements InboundSockets, TcpSockets {
	/** In the order they came, or were called. */
	readonly peers: FakePeer[] = [];
	readonly #onMoved: () => void;
	readonly #waiting: FakePeer[] = [];
	readonly #inbound = new Map<number, FakePeer>();
	readonly #outbound = new Map<number, FakePeer>();
	#lastHandle = 0;
	/** No connection can be opened, and no port. */
	isDown = false;
	isListening = false;
	sendBufferBytes = SEND_BUFFER_BYTES;
	/** Thrown by the next read. */
	fault: Error | undefined;
	/** Every read throws, or every write. */
	readFails = false;
	writeFails = false;
	/** What the next write does that fails, and each after it. */
	isWriteOver = false;
	/** How often it was looked whether somebody has come. */
	acceptCount = 0;
	/** How often any connection was read. */
	readCount = 0;
	/** Most bytes read between two looks. */
	readPeakBytes = 0;
	#readBytes = 0;

	constructor(onMoved: () => void) {
		this.#onMoved = onMoved;
	}

	get openCount(): number {
		return this.#inbound.size + this.#outbound.size;
	}

	/** The newest peer. */
	get last(): FakePeer {
		const peer = this.peers.at(-1);
		if (peer === undefined) throw new Error("no connection was opened");
		return peer;
	}

	/** Somebody connects; not looked at yet. */
	dial(): FakePeer {
		const peer = this.#newPeer({ isAccepted: true });
		this.#waiting.push(peer);
		return peer;
	}

	connect(address: string, port: number): number {
		if (this.isDown) return -EHOSTUNREACH;
		if (this.#outbound.size >= OUTBOUND_PLACES) return -ENFILE;
		return this.#keep(this.#outbound, this.#newPeer({ isAccepted: false, address, port }));
	}

	listen(_port: number): void {
		this.stop();
		if (this.isDown) throw new Error("no network");
		this.isListening = true;
	}

	accept(): number {
		this.acceptCount += 1;
		this.endLook();
		const peer = this.isListening && this.#inbound.size < INBOUND_PLACES ? this.#waiting.shift() : undefined;
		return peer === undefined ? -1 : this.#keep(this.#inbound, peer);
	}

	/** What is read from now on counts anew. */
	endLook(): void {
		this.#readBytes = 0;
	}

	read(handle: number, buffer: Uint8Array, offset: number, byteCount: number): number {
		const peer = this.#peer(handle);
		const { fault } = this;
		this.fault = undefined;
		this.readCount += 1;
		if (fault !== undefined) throw fault;
		if (this.readFails) throw new Error("read failed");
		if (!Number.isInteger(byteCount) || offset + byteCount > buffer.length)
			throw new RangeError("outside the buffer");
		if (peer === undefined) return -1;
		if (peer.unread.length === 0) return peer.hasEnded ? -1 : 0;
		const bytes = peer.unread.splice(0, byteCount);
		buffer.set(bytes, offset);
		this.#readBytes += bytes.length;
		this.readPeakBytes = Math.max(this.readPeakBytes, this.#readBytes);
		return bytes.length;
	}

	write(handle: number, buffer: Uint8Array, offset: number, byteCount: number): number {
		const peer = this.#peer(handle);
		if (this.writeFails) throw new Error("write failed");
		if (peer === undefined || peer.hasEnded || this.isWriteOver) return -1;
		if (!peer.isAccepted) return 0;
		const sentBytes = Math.min(byteCount, peer.writableBytes);
		peer.writableBytes -= sentBytes;
		peer.sent += String.fromCharCode(...buffer.subarray(offset, offset + sentBytes));
		return sentBytes;
	}

	close(handle: number): void {
		const peer = this.#peer(handle);
		if (peer !== undefined) peer.isClosed = true;
		this.#inbound.delete(handle);
		this.#outbound.delete(handle);
	}

	stop(): void {
		for (const handle of [...this.#inbound.keys()]) this.close(handle);
		this.isListening = false;
	}

	#newPeer(options: Pick<FakePeerOptions, "isAccepted" | "address" | "port">): FakePeer {
		const { sendBufferBytes } = this;
		const peer = new FakePeer({ ...options, sendBufferBytes, onMoved: this.#onMoved });
		this.peers.push(peer);
		return peer;
	}

	#keep(places: Map<number, FakePeer>, peer: FakePeer): number {
		this.#lastHandle += 1;
		places.set(this.#lastHandle, peer);
		return this.#lastHandle;
	}

	#peer(handle: number): FakePeer | undefined {
		if (!(Number.isInteger(handle) && handle > 0)) throw new RangeError("not in range");
		return this.#inbound.get(handle) ?? this.#outbound.get(handle);
	}
}
