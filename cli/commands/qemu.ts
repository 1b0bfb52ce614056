// `fota qemu`: an emulated ESP32-C3 with the firmware that `fota firmware --qemu` made.
import { access, mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { IMAGE_MAGIC } from "../../src/protocol/esp-image.js";
import { CliError } from "../cli-error.js";
import { assembleFlash } from "../firmware/board-flash.js";
import { QEMU_NAME } from "../firmware/build-target.js";
import { readPartsFolder } from "../firmware/parts-folder.js";
import { findQemu } from "../qemu/find-qemu.js";
import { runQemu } from "../qemu/run-qemu.js";
import type { Shell } from "../shell.js";
import { parsePort } from "./arguments.js";
import { readFlashFile, readIdentityImage, writeSecret } from "./files.js";

interface QemuOptions {
	readonly parts: string;
	readonly identity?: string;
	readonly flash: string;
	readonly fresh?: boolean;
	readonly pushPort?: number;
}

export function qemuCommand(shell: Shell): Command {
	return new Command("qemu")
		.summary("run the firmware on an emulated ESP32-C3")
		.description(
			"The first time it puts a flash together from parts and identity, then starts Espressif's QEMU on it, with " +
				"this terminal as the serial port. The flash is kept: the next run is the same device after a power cycle. " +
				"End it with Ctrl+A, X.",
		)
		.option("--parts <folder>", "what fota firmware --qemu made", "build/firmware-chip/esp32c3-qemu")
		.option("--identity <file>", "fota provision --identity-only --host 10.0.2.2; for a new flash")
		.option("--flash <file>", "the flash of this device", "build/qemu/esp32c3.flash")
		.option("--fresh", "begin anew with --parts and --identity; what the device was is lost")
		.option("--push-port <port>", "a port of this machine that leads to the device's push port", parsePort)
		.action((options: QemuOptions) => qemu(options, shell));
}

async function qemu(options: QemuOptions, shell: Shell): Promise<void> {
	const program = await findQemu(shell.environment);
	const isThere = await access(options.flash).then(
		() => true,
		() => false,
	);
	if (options.fresh || !isThere) await makeFlash(options);
	else if (options.identity !== undefined)
		throw new CliError(`${options.flash} is a device already`, {
			hint: "Say --fresh to begin anew, or leave --identity out.",
		});
	await checkBootable(options.flash);
	await runQemu({ program, flashPath: resolve(options.flash), pushPort: options.pushPort }, shell);
}

/** The emulator's ROM would print an error for ever; it starts a bootloader at offset 0. */
async function checkBootable(path: string): Promise<void> {
	const flash = await readFlashFile(path);
	if (flash[0] !== IMAGE_MAGIC)
		throw new CliError(`${path} holds no bootloader for an ESP32-C3`, {
			hint: "A simulated board's flash has none. Give what fota qemu or fota provision --parts made.",
		});
}

async function makeFlash(options: QemuOptions): Promise<void> {
	if (options.identity === undefined)
		throw new CliError("a new device needs an identity", {
			hint: "Make one: fota provision --identity-only --host 10.0.2.2 …, then give it with --identity.",
		});
	const folder = await readPartsFolder(options.parts);
	// Another build drives hardware that the emulator lacks, and waits for it for ever.
	if (folder.name !== QEMU_NAME || folder.chip !== "esp32c3")
		throw new CliError(`${options.parts} is not built for the emulator`, {
			hint: "Run fota firmware --qemu, or give its folder with --parts.",
		});
	const identity = await readIdentityImage(options.identity);
	await mkdir(dirname(options.flash), { recursive: true });
	await writeSecret(options.flash, assembleFlash(folder, identity));
}
