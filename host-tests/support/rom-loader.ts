// A chip as a flashing program sees it over its serial line, byte by byte: reset lines, the ROM's loader, the flashing
// program that is sent to its RAM, and a flash with NOR rules. After Espressif's "Serial Protocol" of esptool. Checks what
// it is sent as the chip does, and counts what a chip would not have taken.
import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import { SECTOR_BYTES } from "../../src/protocol/limits.js";
import {
	answerPacket,
	BAD_CHECKSUM,
	type ChipModel,
	COMMAND,
	MODELS,
	READ_ID,
	REFUSED,
	type RomAnswer,
	SPI_USER_COMMAND,
	UNKNOWN_COMMAND,
} from "./rom-protocol.js";
import { SlipReader, slipFrame } from "./slip.js";

export interface RomLoaderOptions {
	readonly chip: keyof typeof MODELS;
	readonly flashBytes: number;
	readonly send: (bytes: Uint8Array) => void;
	/** Comes once. */
	readonly fault?: RomLoaderFault;
	/** Gives no answer, as a chip that is not in download mode. */
	readonly isDeaf?: boolean;
	/** Its lines are those of the chip's own USB (USB-Serial/JTAG) instead of a development board's two transistors. */
	readonly hasOwnUsb?: boolean;
	/** In download mode from the beginning, as with BOOT held. */
	readonly isInDownloadMode?: boolean;
}

export interface RomLoaderFault {
	/** Counted from 0 over all packets of image data. */
	readonly atPacket: number;
	/**
	 * losesByte: on the way to the chip; answersLate: after 1.5 s; startsLate: says so late that its program runs; takesWrong: bits in flash; leaves: the cable is out;
	 * readsWrong: a bit of a packet that is read, where packets are counted from the first one read.
	 */
	readonly kind: "losesByte" | "answersLate" | "startsLate" | "takesWrong" | "leaves" | "readsWrong";
	readonly leave?: () => void;
}

interface Transfer {
	readonly offset: number;
	readonly sizeBytes: number;
	readonly packetCount: number;
	readonly packets: Uint8Array[];
}

/** A read under way: so many bytes may be sent ahead of what the other end has said it has. */
interface Reading {
	readonly bytes: Uint8Array;
	readonly packetBytes: number;
	readonly aheadBytes: number;
	sentBytes: number;
}

export class RomLoader {
	readonly flash: Uint8Array;
	/** Programs that wanted a 0 bit to become 1: the flash then holds something else. */
	ruleBreakCount = 0;
	/** Starts into the firmware. */
	bootCount = 0;
	/** Speed the chip listens at. */
	baudRate = 115_200;
	/** Speed of the other end; what comes at a wrong one is noise. */
	hostBaudRate = 115_200;
	/** Bytes of the flashing program that arrived, whole. */
	loadedBytes = 0;
	/** The fault has come. */
	hasFaulted = false;
	readonly #options: RomLoaderOptions;
	readonly #model: ChipModel;
	readonly #registers = new Map<number, number>();
	readonly #reader = new SlipReader((packet) => this.#take(packet));
	#mode: "firmware" | "rom" | "stub";
	#isHeld = false;
	#isDownloadWanted = false;
	#memory = { left: 0 };
	#transfer: Transfer | undefined;
	#packetIndex = 0;
	#reading: Reading | undefined;
	#readPacketIndex = 0;

	constructor(options: RomLoaderOptions) {
		this.#options = options;
		this.#model = MODELS[options.chip];
		this.#mode = options.isInDownloadMode ? "rom" : "firmware";
		// As an old device: nothing is erased.
		this.flash = new Uint8Array(options.flashBytes).fill(0x5a);
	}

	/**
	 * RTS alone holds the chip in reset. DTR alone: on a board it pulls the boot pin down, which counts when the reset
	 * ends; with USB of its own the chip remembers it until the next reset.
	 */
	setLines({ dtr, rts }: { readonly dtr: boolean; readonly rts: boolean }): void {
		const isHeld = rts && !dtr;
		this.#isDownloadWanted = (dtr && !rts) || (this.#options.hasOwnUsb === true && this.#isDownloadWanted);
		const isReleased = this.#isHeld && !isHeld;
		this.#isHeld = isHeld;
		if (!isReleased) return;
		this.#start(this.#isDownloadWanted ? "rom" : "firmware");
		this.#isDownloadWanted = false;
	}

	#start(mode: "firmware" | "rom"): void {
		this.#mode = mode;
		this.baudRate = 115_200;
		this.#transfer = undefined;
		this.#reading = undefined;
		if (mode === "firmware") this.bootCount++;
		const text = mode === "rom" ? "waiting for download" : "xs-fota starts";
		this.#options.send(new TextEncoder().encode(`rst:0x1 (POWERON)\r\n${text}\r\n`));
	}

	/** Bytes from the cable. */
	receive(bytes: Uint8Array): void {
		const isOff = this.#isHeld || this.#options.isDeaf || this.#mode === "firmware";
		if (isOff || this.hostBaudRate !== this.baudRate) return;
		const isLossy = this.#isLossy(bytes);
		this.#reader.push(isLossy ? bytes.subarray(0, 40) : bytes);
		if (isLossy) this.#reader.push(bytes.subarray(41));
	}

	/** The fault hits the middle of a packet of image data, which is known by its head: C0 00 11. */
	#isLossy(bytes: Uint8Array): boolean {
		return bytes[0] === 0xc0 && bytes[2] === COMMAND.deflateData && this.#isFaulty("losesByte");
	}

	#isFaulty(kind: RomLoaderFault["kind"]): boolean {
		const { fault } = this.#options;
		if (fault?.kind !== kind || this.hasFaulted || this.#packetIndex !== fault.atPacket) return false;
		this.hasFaulted = true;
		return true;
	}

	#take(packet: Uint8Array): void {
		const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
		if (this.#reading) {
			// All it listens for now: how much has arrived.
			if (packet.length === 4) this.#sendRead(this.#reading, view.getUint32(0, true));
			return;
		}
		if (packet.length < 8 || packet[0] !== 0 || view.getUint16(2, true) !== packet.length - 8) return;
		const command = packet[1] ?? 0;
		const data = packet.subarray(8);
		if (command === COMMAND.memData || command === COMMAND.deflateData) {
			const sum = data.subarray(16).reduce((state, byte) => state ^ byte, 0xef);
			if (sum !== view.getUint32(4, true)) {
				this.#answer(command, { status: BAD_CHECKSUM });
				return;
			}
		}
		this.#carryOut(command, data);
	}

	#carryOut(command: number, data: Uint8Array): void {
		const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
		const word = (index: number) => view.getUint32(4 * index, true);
		if (command === COMMAND.sync) {
			for (let i = 0; i < 8; i++) this.#answer(command, { value: this.#mode === "stub" ? 0 : 0x20120707 });
		} else if (command === COMMAND.securityInfo && this.#model.chipId !== undefined) {
			const info = new Uint8Array(20);
			info[12] = this.#model.chipId;
			this.#answer(command, { data: info });
		} else if (command === COMMAND.readReg) this.#answer(command, { value: this.#readRegister(word(0)) });
		else if (command === COMMAND.writeReg) {
			this.#writeRegister(word(0), word(1));
			this.#answer(command);
		} else if (command === COMMAND.changeBaud) {
			this.#answer(command);
			this.baudRate = word(0);
		} else if (!this.#carryOutMemory(command, word, data) && !this.#carryOutFlash(command, word, data)) {
			// The ROM says so eight times.
			for (let i = 0; i < 8; i++) this.#answer(0xff, { status: 1, code: UNKNOWN_COMMAND });
		}
	}

	#readRegister(address: number): number {
		return address === 0x40001000 ? this.#model.magic : (this.#registers.get(address) ?? 0);
	}

	#writeRegister(address: number, value: number): void {
		const { command, user2, w0 } = this.#model.spi;
		this.#registers.set(address, value);
		if (address !== command || (value & SPI_USER_COMMAND) === 0) return;
		const isReadId = ((this.#registers.get(user2) ?? 0) & 0xff) === READ_ID;
		if (isReadId) this.#registers.set(w0, (Math.log2(this.#options.flashBytes) << 16) | 0x40ef);
		this.#registers.set(command, 0);
	}

	#carryOutMemory(command: number, word: (index: number) => number, data: Uint8Array): boolean {
		if (command === COMMAND.memBegin) this.#memory = { left: word(0) };
		else if (command === COMMAND.memData) {
			this.#memory.left -= data.length - 16;
			this.loadedBytes += data.length - 16;
		} else if (command !== COMMAND.memEnd) return false;
		const answer = () => {
			this.#answer(command, { status: this.#memory.left < 0 ? REFUSED : 0 });
			if (command !== COMMAND.memEnd || this.#memory.left !== 0) return;
			this.#mode = "stub";
			this.#options.send(slipFrame(new TextEncoder().encode("OHAI")));
		};
		if (command === COMMAND.memEnd && this.#isFaulty("startsLate")) setTimeout(answer, 1000);
		else answer();
		return true;
	}

	#carryOutFlash(command: number, word: (index: number) => number, data: Uint8Array): boolean {
		if (this.#mode !== "stub") return false;
		if (command === COMMAND.eraseFlash) {
			this.flash.fill(0xff);
			this.#answer(command);
		} else if (command === COMMAND.deflateBegin) {
			this.#transfer = { sizeBytes: word(0), packetCount: word(1), offset: word(3), packets: [] };
			this.#answer(command, { status: this.#erase(word(3), word(0)) ? 0 : REFUSED });
		} else if (command === COMMAND.deflateData) this.#takePacket(word(1), data.slice(16));
		else if (command === COMMAND.deflateEnd) this.#answer(command);
		else if (command === COMMAND.md5) {
			const read = this.flash.subarray(word(0), word(0) + word(1));
			this.#answer(command, { data: createHash("md5").update(read).digest() });
		} else if (command === COMMAND.readFlash) this.#beginRead(word(0), word(1), word(2), word(3));
		else return false;
		return true;
	}

	/** Only the flashing program knows it; the ROM alone answers that it does not. */
	#beginRead(offset: number, sizeBytes: number, packetBytes: number, packetsAhead: number): void {
		const isInside = offset + sizeBytes <= this.flash.length && sizeBytes > 0 && packetBytes > 0;
		this.#answer(COMMAND.readFlash, { status: isInside ? 0 : REFUSED });
		if (!isInside) return;
		const bytes = this.flash.slice(offset, offset + sizeBytes);
		this.#reading = { bytes, packetBytes, aheadBytes: packetBytes * packetsAhead, sentBytes: 0 };
		this.#sendRead(this.#reading, 0);
	}

	/** Behind the data, once all of it has arrived, comes its MD5. */
	#sendRead(reading: Reading, arrivedBytes: number): void {
		const { bytes, packetBytes, aheadBytes } = reading;
		if (arrivedBytes === bytes.length) {
			this.#reading = undefined;
			this.#options.send(slipFrame(createHash("md5").update(bytes).digest()));
		}
		while (reading.sentBytes < bytes.length && reading.sentBytes < arrivedBytes + aheadBytes) {
			const packet = bytes.slice(reading.sentBytes, reading.sentBytes + packetBytes);
			reading.sentBytes += packet.length;
			const { fault } = this.#options;
			if (fault?.kind === "readsWrong" && !this.hasFaulted && this.#readPacketIndex === fault.atPacket) {
				packet[100] = (packet[100] ?? 0) ^ 1;
				this.hasFaulted = true;
			}
			this.#readPacketIndex++;
			this.#options.send(slipFrame(packet));
		}
	}

	#erase(offset: number, sizeBytes: number): boolean {
		if (offset % SECTOR_BYTES !== 0 || offset + sizeBytes > this.flash.length) return false;
		this.flash.fill(0xff, offset, Math.ceil((offset + sizeBytes) / SECTOR_BYTES) * SECTOR_BYTES);
		return true;
	}

	#takePacket(number: number, data: Uint8Array): void {
		const transfer = this.#transfer;
		if (!transfer || number !== transfer.packets.length) {
			this.#answer(COMMAND.deflateData, { status: REFUSED });
			return;
		}
		if (this.#isFaulty("leaves")) {
			this.#options.fault?.leave?.();
			return;
		}
		const isWrong = this.#isFaulty("takesWrong");
		const delayMs = this.#isFaulty("answersLate") ? 1500 : 0;
		transfer.packets.push(data);
		this.#packetIndex++;
		if (transfer.packets.length === transfer.packetCount) this.#program(transfer, isWrong);
		setTimeout(() => this.#answer(COMMAND.deflateData), delayMs);
	}

	#program(transfer: Transfer, isWrong: boolean): void {
		const bytes = inflateSync(Buffer.concat(transfer.packets));
		if (bytes.length !== transfer.sizeBytes)
			throw new Error("the data has another length than was announced");
		for (const [index, byte] of bytes.entries()) {
			const before = this.flash[transfer.offset + index] ?? 0;
			if ((before & byte) !== byte) this.ruleBreakCount++;
			this.flash[transfer.offset + index] = before & byte;
		}
		if (isWrong) this.flash[transfer.offset + 100] = 0;
	}

	#answer(command: number, answer: RomAnswer = {}): void {
		this.#options.send(slipFrame(answerPacket(command, answer)));
	}
}
