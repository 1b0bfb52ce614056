// Where `fota settings` finds an identity: on a board, over its serial port, or in a file. It must not know what is done
// with it.
import { IDENTITY_SECTORS } from "../../src/protocol/identity.js";
import { SECTOR_BYTES } from "../../src/protocol/limits.js";
import { CliError } from "../cli-error.js";
import { type FlashAccess, findIdentityPlace, type IdentityPlace } from "../device/identity-flash.js";
import { printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { checkSecretOutput, readImageFile, writeSecret } from "./files.js";

export interface SettingsSource {
	readonly port?: string;
	readonly image?: string;
	readonly baud: number;
	readonly before: "default" | "usb" | "no-reset";
	readonly restart: boolean;
	readonly verbose?: boolean;
}

/** Throws CliError; the board restarts in any case, unless it is not to. */
export async function withIdentityPlace(
	source: SettingsSource,
	shell: Shell,
	work: (place: IdentityPlace) => Promise<void>,
): Promise<void> {
	const { port, image } = source;
	if ((port === undefined) === (image === undefined))
		throw new CliError("whose settings?", { hint: "Give one of --port and --image." });
	if (image !== undefined) return work(await openFile(image));
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

async function openFile(path: string): Promise<IdentityPlace> {
	const flash = new FlashFile(path, new Uint8Array(await readImageFile(path)));
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

	/** Not under a simulated device that runs on it: that has the old file open and would not see it. */
	async writeSector(offsetBytes: number, sector: Uint8Array): Promise<void> {
		await checkSecretOutput(this.#path, { isForced: true });
		this.#bytes.set(sector, offsetBytes);
		await writeSecret(this.#path, this.#bytes);
	}
}
