/*
 * The one port others may connect to, and their connections, asked again and again: nothing
 * here calls back, waits, or throws because of what a peer does. Called by push-server and
 * push-connection. It must not know what is said on a connection.
 *
 * Not over Moddable's `embedded:io/socket/listener`: that keeps a connection which is reset
 * before it is taken, and the chip restarts (docs/protocol.md §16.4).
 *
 * Conventions of every method here:
 * - A handle is the number that {@link FotaInbound.accept} gave for a connection. One that
 *   was closed names nothing any more, for good. What is no handle at all (0, a fraction,
 *   NaN) throws RangeError, as does what lies outside the buffer.
 * - −1 says that it is over: nothing will come, or go, on that connection any more. It still
 *   has to be closed.
 * - The port and its connections are the chip's, not the object's: there is one of each.
 */
export class FotaInbound {
	/**
	 * Closes whatever is open and opens `port` (1 to 65535). The port stays open, whatever
	 * becomes of the network, until stop(). Throws Error: "no network" before there is an interface,
	 * otherwise with the number of lwip's error, as for a port that is taken.
	 */
	listen(port: number): void {
		native("xs_fota_inbound_listen").call(this, port);
	}

	/** The handle of the next connection; −1: none waits, all three places are taken, or nothing listens. */
	accept(): number {
		return native("xs_fota_inbound_accept").call(this);
	}

	/**
	 * Reads what is there, at most `byteCount` bytes, to `buffer[offset …)`, and says how many: 0 if
	 * none is there now. −1: ended by the other side, reset, lost, or closed here.
	 */
	read(handle: number, buffer: Uint8Array, offset: number, byteCount: number): number {
		return native("xs_fota_inbound_read").call(this, handle, buffer, offset, byteCount);
	}

	/** Sends as much of `buffer[offset … +byteCount)` as is taken now, and says how much; 0: try again. −1: as for read. */
	write(handle: number, buffer: Uint8Array, offset: number, byteCount: number): number {
		return native("xs_fota_inbound_write").call(this, handle, buffer, offset, byteCount);
	}

	/** What was written is still sent; what was not read resets the connection. Idempotent. */
	close(handle: number): void {
		native("xs_fota_inbound_close").call(this, handle);
	}

	/** Closes the port and every connection. Idempotent. */
	stop(): void {
		native("xs_fota_inbound_stop").call(this);
	}
}
