// The part of Moddable's TCP listener that is used, as the SDK's lwip implementation behaves.
// Source: Moddable SDK 8.2.3, modules/io/socket/lwip/listener.js and tcp.c.

declare module "embedded:io/socket/listener" {
	import type TCP from "embedded:io/socket/tcp";

	export default class Listener {
		/** Throws without a network, without a free socket, and for a port that is taken. */
		constructor(options: {
			readonly port: number;
			/** So many connections wait; each is taken by one read(). */
			readonly onReadable: (connectionCount: number) => void;
		});
		/**
		 * The next connection, without callbacks: to be taken over with `new TCP({ from, … })` at once, or closed. Once too
		 * often makes a socket that nobody ever frees.
		 */
		read(): TCP | undefined;
		readonly port: number;
		/** Idempotent. Accepted connections stay. */
		close(): void;
	}
}
