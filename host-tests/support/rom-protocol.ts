// The words of the ROM's serial loader: its commands, the packet of an answer, and what tells the chips apart. After
// Espressif's "Serial Protocol" of esptool. Used by rom-loader.ts; it keeps nothing.

export const COMMAND = {
	memBegin: 0x05,
	memEnd: 0x06,
	memData: 0x07,
	sync: 0x08,
	writeReg: 0x09,
	readReg: 0x0a,
	changeBaud: 0x0f,
	deflateBegin: 0x10,
	deflateData: 0x11,
	deflateEnd: 0x12,
	md5: 0x13,
	securityInfo: 0x14,
	eraseFlash: 0xd0,
	readFlash: 0xd2,
} as const;
/** Status of an answer: 0 is good. */
export const REFUSED = 1;
export const BAD_CHECKSUM = 7;
export const UNKNOWN_COMMAND = 5;
export const SPI_USER_COMMAND = 1 << 18;
export const READ_ID = 0x9f;

export interface ChipModel {
	/** What it answers where the family is asked for; undefined: it does not know that command. */
	readonly chipId: number | undefined;
	readonly magic: number;
	readonly spi: { readonly command: number; readonly user2: number; readonly w0: number };
}

export const MODELS = {
	esp32: {
		chipId: undefined,
		magic: 0x00f01d83,
		spi: { command: 0x3ff42000, user2: 0x3ff42024, w0: 0x3ff42080 },
	},
	esp32c3: {
		chipId: 5,
		magic: 0x6921506f,
		spi: { command: 0x60002000, user2: 0x60002020, w0: 0x60002058 },
	},
	esp32s3: {
		chipId: 9,
		magic: 0x09,
		spi: { command: 0x60002000, user2: 0x60002020, w0: 0x60002058 },
	},
} as const satisfies Readonly<Record<string, ChipModel>>;

export interface RomAnswer {
	readonly value?: number;
	readonly data?: Uint8Array;
	/** Default: good. */
	readonly status?: number;
	readonly code?: number;
}

/** The packet that answers a command. */
export function answerPacket(command: number, answer: RomAnswer = {}): Uint8Array {
	const data = answer.data ?? new Uint8Array(0);
	const packet = new Uint8Array(8 + data.length + 2);
	const view = new DataView(packet.buffer);
	packet.set([1, command]);
	view.setUint16(2, data.length + 2, true);
	view.setUint32(4, answer.value ?? 0, true);
	packet.set(data, 8);
	packet.set([answer.status ?? 0, answer.code ?? answer.status ?? 0], 8 + data.length);
	return packet;
}
