// Writes images to the flash of a board over its serial port, with esptool-js: loader, chip and room are checked before the
// first erase, every image is read back as its MD5. Called by `fota flash`. It must not know where the images come from.
import { createHash } from "node:crypto";
import type { ESPLoader } from "esptool-js";
import type { Chip } from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import { CHIP_FAMILY, flashBytesNeeded, type PartsFolder } from "../firmware/parts-folder.js";
import { type BoardLink, connectLoader, onBoard, startFlasher } from "./board-loader.js";
import { restartChip } from "./web-serial-port.js";

export interface FlashJob extends BoardLink {
	readonly parts: PartsFolder;
	/** Everything, identity and state included, before the parts are written. */
	readonly isEraseAll: boolean;
	/** Whether the chip is restarted into its firmware at the end. */
	readonly isRestarted: boolean;
	/** Bytes of flash written so far, of all parts. */
	readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** Throws CliError; the port is closed in any case. */
export async function flashBoard(job: FlashJob): Promise<void> {
	await onBoard(job.port, () => flash(job));
}

async function flash(job: FlashJob): Promise<void> {
	const loader = await connectLoader(job);
	checkChip(loader, job.parts.chip);
	await startFlasher(loader, job);
	await checkRoom(loader, job.parts);
	await writeParts(loader, job);
	if (job.isRestarted) await restartChip(job.port);
}

function checkChip(loader: ESPLoader, wanted: Chip): void {
	const found = loader.chip.CHIP_NAME;
	if (found === CHIP_FAMILY[wanted]) return;
	const known = (Object.keys(CHIP_FAMILY) as Chip[]).find((chip) => CHIP_FAMILY[chip] === found);
	throw new CliError(`the board has an ${found}, the firmware is for ${CHIP_FAMILY[wanted]}`, {
		hint: known ? `Build it with a --target for ${known}.` : "This project does not build for that chip.",
	});
}

async function checkRoom(loader: ESPLoader, parts: PartsFolder): Promise<void> {
	const size = await loader.detectFlashSize();
	const flashBytes = Number.parseInt(size ?? "", 10) * (size?.endsWith("KB") ? 1024 : 1024 * 1024);
	const neededBytes = flashBytesNeeded(parts.partitions);
	if (flashBytes >= neededBytes) return;
	if (Number.isNaN(flashBytes))
		throw new CliError("the board's flash does not say how large it is", {
			hint: "Is something else wired to the flash's pins?",
		});
	throw new CliError(`the board's flash has ${size}, the partition table needs ${neededBytes / 1024} KiB`, {
		hint: "Use a table that fits the board (--flash-mb of fota firmware).",
	});
}

async function writeParts(loader: ESPLoader, job: FlashJob): Promise<void> {
	const { parts } = job.parts;
	const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
	const startsAt = parts.map((_, index) =>
		parts.slice(0, index).reduce((sum, { bytes }) => sum + bytes.length, 0),
	);
	await loader.writeFlash({
		fileArray: parts.map(({ bytes, offsetBytes }) => ({ data: bytes, address: offsetBytes })),
		flashSize: "keep",
		flashMode: "keep",
		flashFreq: "keep",
		eraseAll: job.isEraseAll,
		compress: true,
		// The counts are of compressed bytes.
		reportProgress: (index, written, total) => {
			const share = total === 0 ? 1 : written / total;
			const done = (startsAt[index] ?? 0) + Math.floor(share * (parts[index]?.bytes.length ?? 0));
			job.onProgress(done, totalBytes);
		},
		calculateMD5Hash: (image) => createHash("md5").update(image).digest("hex"),
	});
}
