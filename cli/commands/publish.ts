// `fota publish`: brings a signed image to the server, which offers it to the devices.
import { Command } from "commander";
import { hexEncode } from "../../src/protocol/encoding.js";
import { loadPublicKey } from "../release/release-key.js";
import { inspectImage } from "../release/sign-release.js";
import { ProgressBar } from "../render/progress-bar.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { readImageFile, readReleaseFile } from "./files.js";
import { openServer, type ServerChoice, withServerOptions } from "./server-options.js";

interface PublishOptions extends ServerChoice {
	readonly release?: string;
	readonly releaseKey?: string;
	readonly description?: string;
}

export function publishCommand(shell: Shell): Command {
	const command = new Command("publish")
		.summary("offer a signed image to the devices")
		.description(
			"Uploads an image with its release statement. From then on every device of its type and chip that " +
				"runs an older version is offered it. The same upload again changes nothing.",
		)
		.argument("<image>", "the application's .bin")
		.option("--release <file>", "what fota sign wrote; default <image>.release")
		.option(
			"--release-key <file>",
			"release.pub to register at the server first; needed once for each release key",
		)
		.option("--description <text>", "a note for people");
	return withServerOptions(command).action(async (path: string, options: PublishOptions) => {
		const image = await readImageFile(path);
		inspectImage(image);
		const release = await readReleaseFile(options.release ?? `${path}.release`);
		const server = openServer(options, shell);
		if (options.releaseKey !== undefined)
			await server.registerReleaseKey(hexEncode(await loadPublicKey(options.releaseKey)));
		const bar = new ProgressBar({ output: shell.stderr, label: "upload", total: image.length });
		const answer = await server
			.publish({
				image,
				release,
				description: options.description,
				onProgress: (sentBytes) => bar.update(sentBytes),
			})
			.finally(() => bar.end());
		printLine(shell.stdout, `release ${answer.outcome}`);
		printFacts(shell.stdout, {
			version: answer.version,
			"device type": answer.deviceType,
			chip: answer.chip,
		});
	});
}
