// The way into a board over its serial port, with esptool-js: the ROM's loader, then the flashing program that comes with
// the package and runs in the chip's RAM. Used by flash-board.ts and board-memory.ts. It must not know what is read or
// written.
import { ESPLoader, Transport } from "esptool-js";
import { CliError } from "../cli-error.js";
import { flashError } from "./serial-errors.js";
import type { WebSerialPort } from "./web-serial-port.js";

export const ROM_BAUD = 115_200;
const CONNECT_ATTEMPTS = 7;
/**
 * For every answer of a chip that is known to be there. esptool-js itself would wait 100 s for a packet of a read that was
 * lost, and 200 ms until the flashing program starts, in which a busy computer may not look at the port at all.
 */
const READ_TIMEOUT_MS = 5000;

export interface BoardLink {
	readonly port: WebSerialPort;
	/** Speed of the transfer; the ROM is greeted at 115200. */
	readonly baudRate: number;
	/** How the chip gets into download mode: by the port's lines, or it is there already (button BOOT). */
	readonly before: "default" | "usb" | "no-reset";
	/** How often it is greeted before it is given up; each takes about 1.5 s. Default 7. */
	readonly connectAttempts?: number;
	/** What esptool-js says on its way. */
	readonly onDetail: (line: string) => void;
}

const MODES = { default: "default_reset", usb: "usb_reset", "no-reset": "no_reset" } as const;

/** Does work over the port and closes it in any case. Throws CliError, with a sentence on what that leaves. */
export async function onBoard<T>(
	port: WebSerialPort,
	work: () => Promise<T>,
	aftermath?: string,
): Promise<T> {
	try {
		// A lost port ends it at once; esptool-js alone would wait for an answer until its time runs out.
		return await Promise.race([work(), port.lost]);
	} catch (error) {
		throw flashError(port.path, error, aftermath);
	} finally {
		await port.close();
	}
}

/** The chip is in its ROM's loader, and known by name. */
export async function connectLoader(link: BoardLink): Promise<ESPLoader> {
	const transport = new QuietTransport(link.port as unknown as ConstructorParameters<typeof Transport>[0]);
	const say = (text: string) => link.onDetail(text.trimEnd());
	const loader = new ESPLoader({
		transport,
		baudrate: link.baudRate,
		romBaudrate: ROM_BAUD,
		terminal: { clean: () => {}, write: say, writeLine: say },
	});
	loader.FLASH_READ_TIMEOUT = READ_TIMEOUT_MS;
	await loader.connect(MODES[link.before], link.connectAttempts ?? CONNECT_ATTEMPTS, true);
	transport.leastWaitMs = READ_TIMEOUT_MS;
	return loader;
}

/** The flashing program runs, at the speed that is wanted. */
export async function startFlasher(loader: ESPLoader, { baudRate }: BoardLink): Promise<void> {
	await loader.runStub();
	if (!loader.IS_STUB)
		throw new CliError("the chip does not take the flashing program", {
			hint: "It is in secure download mode; use Espressif's own tools for it.",
		});
	if (baudRate !== ROM_BAUD) await loader.changeBaud();
}

/** The original prints its traces to the console, wanted or not. */
class QuietTransport extends Transport {
	/** While the chip is sought, its silence must be noticed soon. */
	leastWaitMs = 0;

	override read(timeoutMs: number): Promise<Uint8Array> {
		return super.read(Math.max(timeoutMs, this.leastWaitMs));
	}

	override trace(): void {}
}
