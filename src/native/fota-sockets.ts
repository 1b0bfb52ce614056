/*
 * TCP connections, those the device opens and those that others open to its one port, asked
 * again and again: nothing here calls back, waits, or throws because of what a peer does.
 * Called by tcp-connection, push-server and push-connection. It must not know what is said
 * on a connection.
 *
 * Not over Moddable's `embedded:io/socket/tcp` and `listener`: what a peer does while
 * JavaScript is busy makes them use memory that was freed (docs/design.md, Network).
 *
 * Conventions of every method here:
 * - A handle is the number that {@link FotaSockets.connect} or {@link FotaSockets.accept} gave
 *   for a connection. One that was closed names nothing any more, for good. What is no handle
 *   at all (0, a fraction, NaN) throws RangeError, as does what lies outside the buffer.
 * - −1 says that it is over: nothing will come, or go, on that connection any more. It still
 *   has to be closed. What had arrived before is read first.
 * - Port and connections are the chip's, not the object's: three places for connections of
 *   others, four for the device's own.
 */
export class FotaSockets {
	/**
	 * Begins to open a connection to `address` (IPv4, in digits) and `port` (1 to 65535) and gives its
	 * handle; until it stands, read() and write() move nothing, and if it never does, they say −1 as ever.
	 * Negative where it cannot even begin: the number of lwip's error, or of what is missing (ENETDOWN
	 * before there is an interface, ENFILE without a free place). Never 0.
	 */
	connect(address: string, port: number): number {
		return native("xs_fota_sockets_connect").call(this, address, port);
	}

	/**
	 * Closes the port and the connections of others, if any, and opens `port` (1 to 65535). It stays open, whatever
	 * becomes of the network, until stop(). Throws Error: "no network" before there is an interface,
	 * otherwise with the number of lwip's error, as for a port that is taken.
	 */
	listen(port: number): void {
		native("xs_fota_sockets_listen").call(this, port);
	}

	/** The handle of the next connection; −1: none waits, all three places are taken, or nothing listens. */
	accept(): number {
		return native("xs_fota_sockets_accept").call(this);
	}

	/**
	 * Reads what is there, at most `byteCount` bytes, to `buffer[offset …)`, and says how many: 0 if
	 * none is there now. −1: ended by the other side, refused, reset, lost, or closed here.
	 */
	read(handle: number, buffer: Uint8Array, offset: number, byteCount: number): number {
		return native("xs_fota_sockets_read").call(this, handle, buffer, offset, byteCount);
	}

	/**
	 * Sends as much of `buffer[offset … +byteCount)` as is taken now, and says how much; 0: try again. −1: as for
	 * read, and nothing more may be written: part of it may have gone.
	 */
	write(handle: number, buffer: Uint8Array, offset: number, byteCount: number): number {
		return native("xs_fota_sockets_write").call(this, handle, buffer, offset, byteCount);
	}

	/** What was written is still sent; what was not read resets the connection. Idempotent. */
	close(handle: number): void {
		native("xs_fota_sockets_close").call(this, handle);
	}

	/** Closes the port and every connection that came by it. Idempotent. */
	stop(): void {
		native("xs_fota_sockets_stop").call(this);
	}
}
