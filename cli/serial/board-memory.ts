// The flash of a board on a cable, to be read and to have a sector written, with esptool-js. Called by `fota settings`. It
// must not know what stands in it. Reading needs the flashing program as well: the ROM's own slow read is not in esptool-js.
import { createHash } from "node:crypto";
import type { ESPLoader } from "esptool-js";
import { CliError } from "../cli-error.js";
import type { FlashAccess } from "../device/identity-flash.js";
import { type BoardLink, connectLoader, onBoard, startFlasher } from "./board-loader.js";
import { restartChip } from "./web-serial-port.js";

const DIGEST_TIMEOUT_MS = 5000;

export interface BoardVisit extends BoardLink {
	/** Whether the chip is restarted into its firmware at the end, however that comes. */
	readonly isRestarted: boolean;
	/** A sentence for people: what the board is left with when it ends too early. */
	readonly aftermath: string;
}

/** Does work on the flash of the board. Throws CliError; the port is closed in any case. */
export async function visitBoard<T>(visit: BoardVisit, work: (flash: FlashAccess) => Promise<T>): Promise<T> {
	const go = async () => {
		try {
			const loader = await connectLoader(visit);
			await startFlasher(loader, visit);
			return await work(new BoardMemory(loader));
		} finally {
			// A board that was only looked at, or that was refused its change, goes back to work.
			if (visit.isRestarted) await restartChip(visit.port).catch(() => {});
		}
	};
	return onBoard(visit.port, go, visit.aftermath);
}

class BoardMemory implements FlashAccess {
	readonly #loader: ESPLoader;

	constructor(loader: ESPLoader) {
		this.#loader = loader;
	}

	async read(offsetBytes: number, byteCount: number): Promise<Uint8Array> {
		const bytes = await this.#loader.readFlash(offsetBytes, byteCount);
		// Comes behind the data; esptool-js leaves it on the line, where the next command would meet it.
		const digest = await this.#loader.transport.read(DIGEST_TIMEOUT_MS);
		const isWhole =
			bytes.length === byteCount && createHash("md5").update(bytes).digest().compare(digest) === 0;
		if (!isWhole)
			throw new CliError("the flash was not read as it is", {
				hint: "Nothing was changed by this. Try again, with another cable or --baud 115200.",
			});
		return bytes;
	}

	/** Whoever writes reads it back. */
	async writeSector(offsetBytes: number, sector: Uint8Array): Promise<void> {
		await this.#loader.writeFlash({
			fileArray: [{ data: sector, address: offsetBytes }],
			flashSize: "keep",
			flashMode: "keep",
			flashFreq: "keep",
			eraseAll: false,
			compress: true,
		});
	}
}
