// `fota flash`: writes a firmware, and a device's identity, to a board over USB.
import { Command, Option } from "commander";
import { IDENTITY_PARTITION } from "../../src/protocol/identity.js";
import { CliError } from "../cli-error.js";
import { checkFit, type PartsFolder, readPartsFolder } from "../firmware/parts-folder.js";
import { findPartition } from "../image/flash-image.js";
import { asTyped } from "../render/as-typed.js";
import { ProgressBar } from "../render/progress-bar.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseCount } from "./arguments.js";
import { readIdentityImage } from "./files.js";

interface FlashOptions {
	readonly port: string;
	readonly parts: string;
	readonly identity?: string;
	readonly baud: number;
	readonly erase?: boolean;
	readonly before: "default" | "usb" | "no-reset";
	readonly restart: boolean;
	readonly verbose?: boolean;
}

export function flashCommand(shell: Shell): Command {
	return new Command("flash")
		.summary("write a firmware to a board over USB")
		.description(
			"Writes bootloader, partition table, an empty boot record and the application; with --identity also what " +
				"makes the board a device. Checks chip and room first, and reads everything back at the end. What a " +
				"device has learned, and an identity it has, stay, unless --erase.",
		)
		.requiredOption(
			"--port <path>",
			"serial port of the board, such as /dev/ttyUSB0 (fota doctor lists them)",
		)
		.option("--parts <folder>", "what fota firmware made", "build/firmware-chip/esp32c3")
		.option("--identity <file>", "identity of this device (fota provision --identity-only)")
		.option("--erase", "erase the whole flash first, identity and state too")
		.option("--baud <rate>", "speed; 115200 for a bad cable", parseCount, 460_800)
		.addOption(
			new Option(
				"--before <way>",
				"how the chip gets ready: default by its reset lines; usb as chips with USB of their own; no-reset when " +
					"it was started with BOOT held",
			)
				.choices(["default", "usb", "no-reset"])
				.default("default"),
		)
		.option("--no-restart", "leave the chip as it is at the end")
		.option("--verbose", "print what the loader says")
		.action((options: FlashOptions) => flash(options, shell));
}

async function flash(options: FlashOptions, shell: Shell): Promise<void> {
	const parts = await withIdentity(await readPartsFolder(options.parts), options.identity);
	const totalBytes = parts.parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
	// Loaded only where they are needed: they bring native code for the serial port.
	const { flashBoard } = await import("../serial/flash-board.js");
	const { WebSerialPort } = await import("../serial/web-serial-port.js");
	const bar = new ProgressBar({ output: shell.stderr, label: "flash", total: totalBytes });
	await flashBoard({
		port: new WebSerialPort(options.port),
		parts,
		baudRate: options.baud,
		isEraseAll: options.erase === true,
		before: options.before,
		isRestarted: options.restart,
		onProgress: (doneBytes) => bar.update(doneBytes),
		onDetail: (line) => {
			if (options.verbose) printLine(shell.stderr, line);
		},
	}).finally(() => bar.end());
	printLine(shell.stdout, `flashed and verified: ${parts.name} ${parts.version} for ${parts.chip}`);
	for (const { name, offsetBytes, bytes } of parts.parts)
		printFacts(shell.stdout, {
			[name.padEnd(16)]: `0x${offsetBytes.toString(16).padStart(6, "0")}  ${bytes.length} bytes`,
		});
	if (options.erase && options.identity === undefined)
		printLine(shell.stdout, "the board has no identity now: run this again with --identity");
	printFacts(shell.stdout, { next: asTyped(`fota monitor --port ${options.port}`, shell.environment) });
}

async function withIdentity(folder: PartsFolder, path: string | undefined): Promise<PartsFolder> {
	if (path === undefined) return folder;
	const bytes = await readIdentityImage(path);
	const { offsetBytes } = findPartition(folder.partitions, IDENTITY_PARTITION);
	if (folder.parts.some((part) => part.offsetBytes === offsetBytes))
		throw new CliError("the folder holds an identity already", { hint: "Leave --identity out." });
	const parts = [...folder.parts, { name: "identity", offsetBytes, bytes }];
	parts.sort((a, b) => a.offsetBytes - b.offsetBytes);
	checkFit(parts, folder.partitions);
	return { ...folder, parts };
}
