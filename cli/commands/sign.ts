// `fota sign`: writes the release statement that belongs to an image.
import { Command } from "commander";
import { loadReleaseKey } from "../release/release-key.js";
import { inspectImage, signRelease } from "../release/sign-release.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseCount, parseName, parseTime, parseVersion } from "./arguments.js";
import { readImageFile, writeOutput } from "./files.js";

interface SignOptions {
	readonly key: string;
	readonly deviceType: string;
	readonly minCurrentVersion?: string;
	readonly securityVersion?: number;
	readonly buildNumber?: number;
	readonly releasedAt?: number;
	readonly out?: string;
}

export function signCommand(shell: Shell): Command {
	return new Command("sign")
		.summary("sign an image as a release")
		.description(
			"Checks the image, reads its version and chip, and signs what it is and for which devices. Writes " +
				"<image>.release. A device installs nothing without it.",
		)
		.argument("<image>", "the application's .bin")
		.requiredOption("--key <file>", "release.key of fota keygen")
		.requiredOption(
			"--device-type <type>",
			"the devices it is for; they were provisioned with this type",
			parseName,
		)
		.option("--min-current-version <version>", "devices below this version do not take it", parseVersion)
		.option(
			"--security-version <n>",
			"devices never go below the highest one they ran; default: the image's own",
			parseCount,
		)
		.option("--build-number <n>", "tells builds of one version apart; default 0", parseCount)
		.option(
			"--released-at <time>",
			"Unix seconds or a date; default now. With a later one, devices that rolled it back try again",
			parseTime,
		)
		.option("--out <file>", "statement to write, over an old one; default <image>.release")
		.action(async (path: string, options: SignOptions) => {
			const image = await readImageFile(path);
			const key = await loadReleaseKey(options.key);
			const statement = signRelease(image, options, key);
			const out = options.out ?? `${path}.release`;
			await writeOutput(out, `${statement}\n`);
			const { version, chip, hash } = inspectImage(image);
			printLine(shell.stdout, `release signed: ${out}`);
			printFacts(shell.stdout, {
				version,
				chip,
				"device type": options.deviceType,
				"key id": key.keyId,
				"SHA-256": hash,
			});
		});
}
