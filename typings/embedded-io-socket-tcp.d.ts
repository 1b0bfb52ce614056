// The part of Moddable's TCP socket that is used, as the SDK's lwip implementation behaves.
// Source: Moddable SDK 8.2.3, modules/io/socket/lwip/tcp.c.

declare module "embedded:io/socket/tcp" {
	export interface TCPOptions {
		/** Numeric: names are not resolved. */
		readonly address: string;
		readonly port: number;
		readonly nodelay?: boolean;
		readonly onReadable?: (byteCount: number) => void;
		/** First when the connection stands, then whenever sent bytes were acknowledged. */
		readonly onWritable?: (byteCount: number) => void;
		/** Refused, reset or closed by the other side; after unread bytes were read. */
		readonly onError?: () => void;
	}

	export default class TCP {
		/** Throws without a network, without a free socket, and for an address that is not numeric. */
		constructor(options: TCPOptions);
		/** Fills `buffer` and returns its length; throws if fewer bytes are there; undefined if none is. */
		read(buffer: Uint8Array): number | undefined;
		/** Takes all or throws; returns how many bytes it takes next, undefined once there was an error. */
		write(buffer: Uint8Array): number | undefined;
		/** Idempotent. No callback follows. */
		close(): void;
	}
}
