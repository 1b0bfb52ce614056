// `fota build`: makes an image of src/ for the simulator. Images for a chip are made by `fota firmware`.
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { Command } from "commander";
import type { Chip } from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import { buildFirmware } from "../image/firmware-build.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseBytes, parseChip, parseCount, parseVersion } from "./arguments.js";
import { writeOutput } from "./files.js";

interface BuildOptions {
	readonly version: string;
	readonly chip: Chip;
	readonly size?: number;
	readonly entry?: string;
	readonly securityVersion?: number;
	readonly buildNumber?: number;
	readonly out?: string;
}

export function buildCommand(shell: Shell): Command {
	return new Command("build")
		.summary("make an image for the simulator")
		.description(
			"Compiles src/ and wraps it into an ESP32 image that the simulator boots. For a real chip there is fota " +
				"firmware (npm run firmware); every other command takes that image as well.",
		)
		.requiredOption("--version <version>", "version of the firmware, such as 1.1.0", parseVersion)
		.option("--chip <chip>", "esp32, esp32c3 or esp32s3", parseChip, "esp32")
		.option(
			"--size <bytes>",
			"pad the image to this length: bytes, 1040k or 1m (a multiple of 16, at most 8m)",
			parseBytes,
		)
		.option("--entry <file>", "TypeScript file whose default export runs instead of main's")
		.option(
			"--security-version <n>",
			"devices never go below the highest one they ran; default 0",
			parseCount,
		)
		.option("--build-number <n>", "tells builds of one version apart; default 0", parseCount)
		.option("--out <file>", "image to write, over an old one; default build/images/<version>.bin")
		.action(async (options: BuildOptions) => {
			const path = options.out ?? `build/images/${options.version}.bin`;
			const { image, hash } = await buildFirmware({
				...options,
				sizeBytes: options.size,
				entryFile: options.entry,
			}).catch((cause: Error) => {
				throw new CliError(cause.message, { cause });
			});
			await mkdir(dirname(path), { recursive: true });
			await writeOutput(path, image);
			printLine(shell.stdout, `image for the simulator: ${path}`);
			printFacts(shell.stdout, {
				version: options.version,
				chip: options.chip,
				bytes: image.length,
				"SHA-256": hash,
			});
		});
}
