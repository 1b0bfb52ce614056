// SLIP (RFC 1055): packets on a serial line, between bytes C0.
const END = 0xc0;
const ESCAPE = 0xdb;

export function slipFrame(packet: Uint8Array): Uint8Array {
	const bytes = [END];
	for (const byte of packet) {
		if (byte === END) bytes.push(ESCAPE, 0xdc);
		else if (byte === ESCAPE) bytes.push(ESCAPE, 0xdd);
		else bytes.push(byte);
	}
	return new Uint8Array([...bytes, END]);
}

export class SlipReader {
	readonly #onPacket: (packet: Uint8Array) => void;
	/** Of the packet that has begun; undefined between packets. */
	#bytes: number[] | undefined;
	#isEscaped = false;

	constructor(onPacket: (packet: Uint8Array) => void) {
		this.#onPacket = onPacket;
	}

	push(bytes: Uint8Array): void {
		for (const byte of bytes) this.#take(byte);
	}

	#take(byte: number): void {
		if (byte === END) {
			const packet = this.#bytes;
			// An end that ends nothing is a beginning.
			this.#bytes = packet === undefined || packet.length === 0 ? [] : undefined;
			this.#isEscaped = false;
			if (packet && packet.length > 0) this.#onPacket(new Uint8Array(packet));
		} else if (byte === ESCAPE) this.#isEscaped = true;
		else {
			this.#bytes?.push(this.#isEscaped ? (byte === 0xdc ? END : ESCAPE) : byte);
			this.#isEscaped = false;
		}
	}
}
