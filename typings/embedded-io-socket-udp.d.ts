// The part of Moddable's UDP socket that is used, as the SDK's lwip implementation behaves.
// Source: Moddable SDK 8.2.3, modules/io/socket/lwip/udp.{js,c}.

declare module "embedded:io/socket/udp" {
	export interface UDPOptions {
		/** Default: one that the system gives. */
		readonly port?: number;
		/** 1 to 255. */
		readonly timeToLive?: number;
		/** Datagrams that wait, those of earlier calls that were not read among them. */
		readonly onReadable?: (count: number) => void;
	}

	/** A datagram; what lies behind the first buffer of the network stack is missing from it. */
	export type Datagram = ArrayBuffer & { readonly address: string; readonly port: number };

	export default class UDP {
		/** Throws without a network and without a free socket. */
		constructor(options: UDPOptions);
		/** The oldest datagram, allocated anew; undefined: none waits. */
		read(): Datagram | undefined;
		/** `address` is numeric. Throws when it cannot be sent. */
		write(buffer: Uint8Array, address: string, port: number): void;
		/** Joins a multicast group on every interface that has an address now. */
		add(address: string): void;
		/** Idempotent. No callback follows. */
		close(): void;
	}
}
