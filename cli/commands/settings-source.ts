// Where `fota settings` finds an identity: on a board, over its serial port, or in a file. It must not know what is done
// with it.
import { IDENTITY_SECTORS } from "../../src/protocol/identity.js";
import { SECTOR_BYTES } from "../../src/protocol/limits.js";
import { CliError } from "../cli-error.js";
import { type FlashAccess, findIdentityPlace, type IdentityPlace } from "../device/identity-flash.js";
import { printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { checkChangeable, readFlashFile, writeSecret } from "./files.js";

export interface SettingsSource {
	readonly port?: string;
	readonly image?: string;
	readonly baud: number;
	readonly before: "default" | "usb" | "no-reset";
	readonly restart: boolean;
	readonly verbose?: boolean;
}

export interface IdentityVisit extends SettingsSource {
	/** What cannot be changed is refused at once, before anything is asked for or shown. */
	readonly isChange: boolean;
}

/** Throws CliError; the board restarts in any case, unless it is not to. */
export async function withIdentityPlace(
	source: IdentityVisit,
	shell: Shell,
	work: (place: IdentityPlace) => Promise<void>,
): Promise<void> {
	const { port, image } = source;
	if ((port === undefined) === (image === undefined))
		throw new CliError("whose settings?", { hint: "Give one of --port and --image." });
	if (image !== undefined) return work(await openFile(image, source.isChange));
	// Loaded only where they are needed: they bring native code for the serial port.
	const { visitBoard } = await import("../serial/board-memory.js");
	const { WebSerialPort } = await import("../serial/web-serial-port.js");
	const visit = {
		port: new WebSerialPort(port ?? ""),
		baudRate: source.baud,
		before: source.before,
		isRestarted: source.restart,
		aftermath: "The board has its settings as before, or as wanted.",
		onDetail: (line: string) => {
			if (source.verbose) printLine(shell.stderr, line);
		},
	};
	return visitBoard(visit, async (flash) => work(await findIdentityPlace(flash)));
}

async function openFile(path: string, isChange: boolean): Promise<IdentityPlace> {
	const bytes = new Uint8Array(await readFlashFile(path));
	if (isChange) await checkChangeable(path);
	const flash = new FlashFile(path, bytes);
	return flash.sizeBytes === IDENTITY_SECTORS * SECTOR_BYTES
		? { flash, offsetBytes: 0 }
		: findIdentityPlace(flash);
}

/** A file that is written as a whole or not at all. */
class FlashFile implements FlashAccess {
	readonly #path: string;
	readonly #bytes: Uint8Array;

	constructor(path: string, bytes: Uint8Array) {
		this.#path = path;
		this.#bytes = bytes;
	}

	get sizeBytes(): number {
		return this.#bytes.length;
	}

	async read(offsetBytes: number, byteCount: number): Promise<Uint8Array> {
		if (offsetBytes + byteCount > this.#bytes.length)
			throw new CliError(`${this.#path} is neither an identity nor the flash of a device`);
		return this.#bytes.slice(offsetBytes, offsetBytes + byteCount);
	}

	/** Not under a simulated device that was started meanwhile. */
	async writeSector(offsetBytes: number, sector: Uint8Array): Promise<void> {
		await checkChangeable(this.#path);
		this.#bytes.set(sector, offsetBytes);
		await writeSecret(this.#path, this.#bytes);
	}
}
