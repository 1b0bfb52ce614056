// A board on a cable: the byte-level chip of rom-loader.ts behind a pseudo-terminal, and the port that leads to it. The
// reset lines and the speed, which a pseudo-terminal does not have, are handed to the chip beside it.
import { WebSerialPort } from "../../cli/serial/web-serial-port.js";
import { Pty } from "./pty.js";
import { RomLoader, type RomLoaderFault, type RomLoaderOptions } from "./rom-loader.js";

export interface CabledBoardOptions {
	readonly chip: RomLoaderOptions["chip"];
	/** Takes what is compiled. */
	readonly folder: string;
	readonly flashBytes?: number;
	/** One that leaves pulls the cable. */
	readonly fault?: RomLoaderFault;
	readonly isDeaf?: boolean;
	readonly hasOwnUsb?: boolean;
	readonly isInDownloadMode?: boolean;
}

export class CabledBoard {
	readonly chip: RomLoader;
	readonly pty: Pty;

	static async open(options: CabledBoardOptions): Promise<CabledBoard> {
		const { fault, folder } = options;
		const leave = () => void pty.close();
		const chip = new RomLoader({
			flashBytes: 4 * 1024 * 1024,
			...options,
			...(fault && { fault: { ...fault, leave } }),
			send: (bytes) => pty.write(bytes),
		});
		const pty = await Pty.open(folder, (bytes) => chip.receive(bytes));
		return new CabledBoard(chip, pty);
	}

	private constructor(chip: RomLoader, pty: Pty) {
		this.chip = chip;
		this.pty = pty;
	}

	port(): WebSerialPort {
		return new CabledPort(this.pty.path, this.chip);
	}
}

class CabledPort extends WebSerialPort {
	readonly #chip: RomLoader;

	constructor(path: string, chip: RomLoader) {
		super(path);
		this.#chip = chip;
	}

	override async open(options: { readonly baudRate: number }): Promise<void> {
		await super.open(options);
		this.#chip.hostBaudRate = options.baudRate;
	}

	protected override async applySignals(signals: { dtr: boolean; rts: boolean }): Promise<void> {
		this.#chip.setLines(signals);
	}

	override async setBaudRate(baudRate: number): Promise<void> {
		await super.setBaudRate(baudRate);
		this.#chip.hostBaudRate = baudRate;
	}
}
