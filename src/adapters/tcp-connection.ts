// One TCP connection over an ECMA-419 socket class: opens it, reads what it announces into one fixed buffer, writes no
// more than it takes, and lets no exception out into the native code that calls it. Called by tcp-http-client. It must not
// know HTTP, nor when a connection is worth keeping.

/**
 * The part of `embedded:io/socket/tcp` that is used. As in the SDK's lwip implementation, `read(buffer)`
 * fills the whole buffer and returns its length, throws if fewer bytes are there, and returns undefined
 * if none is; `write` takes all or throws "would block", and returns how many bytes it takes next.
 */
export interface TcpSocket {
	read(buffer: Uint8Array): number | undefined;
	write(buffer: Uint8Array): number | undefined;
	close(): void;
}

export interface TcpSocketOptions {
	/** Numeric, or a name where the class resolves it (named-tcp.ts). */
	readonly address: string;
	/** 1 to 65535. */
	readonly port: number;
	readonly nodelay: boolean;
	readonly onReadable: (byteCount: number) => void;
	readonly onWritable: (byteCount: number) => void;
	/** Refused, reset, or closed by the other side: the socket does not say which. */
	readonly onError: () => void;
}

/** The class itself, injected so that tests and simulator can put in their own. It may throw ("no network"). */
export type TcpSocketClass = new (options: TcpSocketOptions) => TcpSocket;

export interface TcpHandler {
	/** The first call says that the connection stands; each call gives the bytes that may be written now. */
	onWritable(byteCount: number): void;
	/** Most bytes to read next, at least 1. */
	wantedBytes(): number;
	/** Bytes 0 to `byteCount` of the receive buffer are new. False: read no further. */
	onData(buffer: Uint8Array, byteCount: number): boolean;
	/** All bytes that were announced together have been handed to `onData`. */
	onDataEnd(): void;
	/** The other side has gone; the connection is already closed here. */
	onClosed(): void;
	/** Socket or handler threw; the connection is already closed here. */
	onFault(cause: unknown): void;
}

export interface TcpConnectionOptions {
	readonly io: TcpSocketClass;
	readonly address: string;
	readonly port: number;
	readonly receiveBuffer: ReceiveBuffer;
	readonly handler: TcpHandler;
}

/**
 * One block of memory and views of falling length over its start. A socket fills a view to its end or
 * throws, so a segment of any length is read in a few pieces of fixed length, and nothing is allocated
 * while receiving. Costs `sizeBytes` and about 64 bytes a view (seven views at the default size).
 */
export class ReceiveBuffer {
	readonly bytes: Uint8Array;
	readonly #views: Uint8Array[] = [];

	constructor(sizeBytes: number) {
		this.bytes = new Uint8Array(sizeBytes);
		this.#views.push(this.bytes);
		let viewBytes = 1;
		while (viewBytes * 4 < sizeBytes) viewBytes *= 4;
		for (; viewBytes >= 1; viewBytes /= 4) this.#views.push(new Uint8Array(this.bytes.buffer, 0, viewBytes));
	}

	/** The longest view that `byteCount` (at least 1) bytes fill. */
	viewFor(byteCount: number): Uint8Array {
		for (const view of this.#views) if (view.length <= byteCount) return view;
		return this.bytes;
	}
}

export class TcpConnection {
	readonly #handler: TcpHandler;
	readonly #receiveBuffer: ReceiveBuffer;
	#socket: TcpSocket | undefined;

	/** Throws what the socket class throws; then there is nothing to close. */
	constructor(options: TcpConnectionOptions) {
		this.#handler = options.handler;
		this.#receiveBuffer = options.receiveBuffer;
		this.#socket = new options.io({
			address: options.address,
			port: options.port,
			nodelay: true,
			onReadable: (byteCount) => this.#onReadable(byteCount),
			onWritable: (byteCount) => this.#onWritable(byteCount),
			onError: () => this.#onError(),
		});
	}

	get isOpen(): boolean {
		return this.#socket !== undefined;
	}

	/**
	 * Writes `byteCount` bytes, at most what the last `onWritable` or `write` allowed, and returns how many
	 * may be written next. Throws what the socket throws.
	 */
	write(source: Uint8Array, offset: number, byteCount: number, writableBytes: number): number {
		const next = this.#socket?.write(source.subarray(offset, offset + byteCount));
		return typeof next === "number" ? next : writableBytes - byteCount;
	}

	/** Idempotent. No handler is called any more once it returns. */
	close(): void {
		const socket = this.#socket;
		this.#socket = undefined;
		try {
			socket?.close();
		} catch {
			// A socket that refuses to close is out of reach already, and there is nobody to tell.
		}
	}

	#onReadable(byteCount: number): void {
		try {
			if (this.#drain(byteCount) && this.isOpen) this.#handler.onDataEnd();
		} catch (cause) {
			this.#fault(cause);
		}
	}

	/** Unread bytes are not announced again, so all of them are taken. False if the handler had enough. */
	#drain(byteCount: number): boolean {
		let leftBytes = byteCount;
		while (leftBytes > 0) {
			const wantedBytes = Math.min(leftBytes, this.#handler.wantedBytes());
			const readBytes = this.#socket?.read(this.#receiveBuffer.viewFor(wantedBytes));
			if (readBytes === undefined || readBytes <= 0) return true;
			leftBytes -= readBytes;
			if (!this.#handler.onData(this.#receiveBuffer.bytes, readBytes)) return false;
		}
		return true;
	}

	#onWritable(byteCount: number): void {
		if (!this.isOpen) return;
		try {
			this.#handler.onWritable(byteCount);
		} catch (cause) {
			this.#fault(cause);
		}
	}

	#onError(): void {
		if (!this.isOpen) return;
		try {
			this.close();
			this.#handler.onClosed();
		} catch (cause) {
			this.#fault(cause);
		}
	}

	#fault(cause: unknown): void {
		this.close();
		try {
			this.#handler.onFault(cause);
		} catch {
			// Thrown further, it would reach native code, where it restarts the chip.
		}
	}
}
