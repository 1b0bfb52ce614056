// What `fota provision` makes of an identity: the partition alone, the flash of a simulated board, or the flash of a real
// one from the parts of `fota firmware`. It must not know how a device is registered.
import type { Command } from "commander";
import type { Identity } from "../../src/protocol/identity.js";
import type { Chip } from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import { assembleFlash } from "../firmware/board-flash.js";
import { QEMU_NAME } from "../firmware/build-target.js";
import { readPartsFolder } from "../firmware/parts-folder.js";
import { buildFlash, buildIdentityPartition } from "../image/flash-image.js";
import { inspectImage } from "../release/sign-release.js";
import { HELP_GROUPS } from "../render/help.js";
import { readImageFile } from "./files.js";

/** The simulator's own choice. */
const SIMULATED_CHIP: Chip = "esp32";
/** This machine, as QEMU's network shows it to the device. */
const EMULATOR_HOST = "10.0.2.2";

export interface ProductOptions {
	readonly host?: string;
	readonly image?: string;
	readonly identityOnly?: boolean;
	readonly parts?: string;
	readonly chip: Chip;
	readonly out: string;
}

export interface Product {
	/** For people. */
	readonly title: string;
	/** The command that goes on from here. */
	readonly next: string;
	/** Where the device finds the server, when that is certain. */
	readonly host?: string;
	readonly make: (identity: Identity) => Uint8Array;
}

export function withProductOptions(command: Command): Command {
	return command
		.optionsGroup("What to make, one of these:")
		.option("--identity-only", "the partition fota_id alone, for fota flash --identity on a real board")
		.option("--image <file>", "the whole flash of a simulated board, with this application in the first slot")
		.option("--parts <folder>", "the whole flash of a new board, from the parts of fota firmware")
		.optionsGroup(HELP_GROUPS.other);
}

/** Reads and checks what goes into it. Throws CliError. */
export async function productOf(options: ProductOptions): Promise<Product> {
	const { image, parts, identityOnly, out, host } = options;
	if ([image, parts, identityOnly].filter((choice) => choice !== undefined).length !== 1)
		throw new CliError("what to make?", { hint: "Give one of --identity-only, --image and --parts." });
	if (image !== undefined) return simulatedBoard(image, options);
	if (parts !== undefined) return realBoard(parts, out);
	return {
		title: "identity partition",
		next:
			host === EMULATOR_HOST
				? `fota qemu --identity ${out}`
				: `fota flash --port /dev/ttyUSB0 --identity ${out}`,
		make: buildIdentityPartition,
	};
}

async function simulatedBoard(path: string, { chip, out }: ProductOptions): Promise<Product> {
	const image = await readImageFile(path);
	const found = inspectImage(image);
	if (found.chip !== chip)
		throw new CliError(`${path} is for ${found.chip ?? "another chip"}`, {
			hint: `Say --chip ${found.chip}.`,
		});
	return {
		title: "flash of a new board",
		next: `build/simulator/release/xs-fota-sim run --flash ${out}${chip === SIMULATED_CHIP ? "" : ` --chip ${chip}`}`,
		make: (identity) => buildFlash({ identity, image }),
	};
}

async function realBoard(folder: string, out: string): Promise<Product> {
	const parts = await readPartsFolder(folder);
	const isEmulated = parts.name === QEMU_NAME;
	return {
		title: `flash of a new board with ${parts.name} ${parts.version} for ${parts.chip}`,
		next: isEmulated ? `fota qemu --flash ${out}` : `esptool write_flash 0x0 ${out}`,
		...(isEmulated && { host: EMULATOR_HOST }),
		make: (identity) => assembleFlash(parts, buildIdentityPartition(identity)),
	};
}
