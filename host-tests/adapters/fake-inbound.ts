// The chip's port for others (FotaInbound), driven by a test in the place of network and peers. As there: three places,
// handles that are not given twice, an end that is a number, and nothing that throws but listen() and a wrong handle.

import type { InboundPort } from "../../src/adapters/push-server.js";

const PLACES = 3;
const SEND_BUFFER_BYTES = 5744;

export interface FakePeerOptions {
	readonly sendBufferBytes: number;
	/** Something has happened that the device may look at. */
	readonly onMoved: () => void;
}

/** Somebody who has connected. */
export class FakePeer {
	readonly #options: FakePeerOptions;
	readonly unread: number[] = [];
	hasEnded = false;
	/** By the device. */
	isClosed = false;
	writableBytes: number;
	/** By the device. */
	sent = "";

	constructor(options: FakePeerOptions) {
		this.#options = options;
		this.writableBytes = options.sendBufferBytes;
	}

	/** Says it, at once or in pieces; the device looks after each. */
	receive(bytes: string | Uint8Array, pieceBytes = Number.MAX_SAFE_INTEGER): void {
		const all =
			typeof bytes === "string" ? Array.from(bytes, (character) => character.charCodeAt(0)) : [...bytes];
		for (let at = 0; at < all.length && !this.isClosed; at += pieceBytes) {
			this.unread.push(...all.slice(at, at + pieceBytes));
			this.#options.onMoved();
		}
	}

	/** Closes or resets. */
	end(): void {
		this.hasEnded = true;
		this.#options.onMoved();
	}

	/** So many more bytes may be sent to it. */
	acknowledge(byteCount: number): void {
		this.writableBytes += byteCount;
		this.#options.onMoved();
	}
}

export class FakeInbound implements InboundPort {
	readonly peers: FakePeer[] = [];
	readonly #onMoved: () => void;
	readonly #waiting: FakePeer[] = [];
	readonly #taken = new Map<number, FakePeer>();
	#lastHandle = 0;
	isDown = false;
	isListening = false;
	sendBufferBytes = SEND_BUFFER_BYTES;
	/** Thrown by the next read. */
	fault: Error | undefined;
	/** How often it was looked whether somebody has come. */
	acceptCount = 0;
	/** Most bytes read between two looks. */
	readPeakBytes = 0;
	#readBytes = 0;

	constructor(onMoved: () => void) {
		this.#onMoved = onMoved;
	}

	get openCount(): number {
		return this.#taken.size;
	}

	/** Somebody connects; not looked at yet. */
	connect(): FakePeer {
		const peer = new FakePeer({ sendBufferBytes: this.sendBufferBytes, onMoved: this.#onMoved });
		this.peers.push(peer);
		this.#waiting.push(peer);
		return peer;
	}

	listen(_port: number): void {
		this.stop();
		if (this.isDown) throw new Error("no network");
		this.isListening = true;
	}

	accept(): number {
		this.acceptCount += 1;
		this.#readBytes = 0;
		const peer = this.isListening && this.#taken.size < PLACES ? this.#waiting.shift() : undefined;
		if (peer === undefined) return -1;
		this.#lastHandle += 1;
		this.#taken.set(this.#lastHandle, peer);
		return this.#lastHandle;
	}

	read(handle: number, buffer: Uint8Array, offset: number, byteCount: number): number {
		const peer = this.#peer(handle);
		const { fault } = this;
		this.fault = undefined;
		if (fault !== undefined) throw fault;
		if (offset + byteCount > buffer.length) throw new RangeError("outside the buffer");
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
		if (peer === undefined || peer.hasEnded) return -1;
		const sentBytes = Math.min(byteCount, peer.writableBytes);
		peer.writableBytes -= sentBytes;
		peer.sent += String.fromCharCode(...buffer.subarray(offset, offset + sentBytes));
		return sentBytes;
	}

	close(handle: number): void {
		const peer = this.#peer(handle);
		if (peer !== undefined) peer.isClosed = true;
		this.#taken.delete(handle);
	}

	stop(): void {
		for (const handle of [...this.#taken.keys()]) this.close(handle);
		this.isListening = false;
	}

	#peer(handle: number): FakePeer | undefined {
		if (!(Number.isInteger(handle) && handle > 0)) throw new RangeError("not in range");
		return this.#taken.get(handle);
	}
}
