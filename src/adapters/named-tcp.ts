// TCP to a name: the socket class that TcpConnection takes, with a name where it has an address. Resolves it, then opens
// the real socket; until then it is a socket that is still connecting. Built by composition/network. It must not know what is sent.

import type { Resolver } from "./resolver.js";
import { numericAddress } from "./server-address.js";
import type { TcpSocket, TcpSocketClass, TcpSocketOptions } from "./tcp-connection.js";

/** A class for TcpHttpClient: `address` may be a name. A numeric address opens at once, without the resolver. */
export function namedTcp(io: TcpSocketClass, resolver: Pick<Resolver, "resolve">): TcpSocketClass {
	return class implements TcpSocket {
		#socket: TcpSocket | undefined;
		#callOff: (() => void) | undefined;

		constructor(options: TcpSocketOptions) {
			const address = numericAddress(options.address);
			if (address !== undefined) {
				this.#socket = new io({ ...options, address });
				return;
			}
			this.#callOff = resolver.resolve(options.address, (found) => this.#open(options, found));
		}

		/** What the real socket throws has nobody to go to here, and means the same as an error. */
		#open(options: TcpSocketOptions, address: string | undefined): void {
			this.#callOff = undefined;
			try {
				if (address !== undefined) this.#socket = new io({ ...options, address });
			} catch {
				this.#socket = undefined;
			}
			if (this.#socket === undefined) options.onError();
		}

		read(buffer: Uint8Array): number | undefined {
			return this.#socket?.read(buffer);
		}

		write(buffer: Uint8Array): number | undefined {
			return this.#socket?.write(buffer);
		}

		close(): void {
			this.#callOff?.();
			this.#callOff = undefined;
			this.#socket?.close();
			this.#socket = undefined;
		}
	};
}
