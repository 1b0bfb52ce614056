// `fota publish`: brings a signed image to the server, which offers it to the devices.
import { Command } from "commander";
import { hexEncode } from "../../src/protocol/encoding.js";
import { parseSignedStatement } from "../../src/protocol/release-statement.js";
import { CliError, EXIT_CODES } from "../cli-error.js";
import { loadPublicKey, publicKeyId } from "../release/release-key.js";
import { inspectImage } from "../release/sign-release.js";
import { ProgressBar } from "../render/progress-bar.js";
import { printFacts, printLine } from "../render/text.js";
import { RefusedError } from "../server/http-call.js";
import type { ServerClient } from "../server/server-client.js";
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
			"Uploads an image with its release statement. From then on devices of its type and chip that run an older " +
				"version are offered it; where a rollout was started for them before, or the server gives releases by " +
				"rollouts only, it waits for a rollout of its own. The same upload again changes nothing.",
		)
		.argument("<image>", "the application's .bin")
		.option("--release <file>", "what fota sign wrote; default <image>.release")
		.option(
			"--release-key <file>",
			"release.pub to register first, unless the server has it; an admin's token does that once for each key",
		)
		.option("--description <text>", "a note for people");
	return withServerOptions(command, "operator").action((path: string, options: PublishOptions) =>
		publish(path, options, shell),
	);
}

async function publish(path: string, options: PublishOptions, shell: Shell): Promise<void> {
	const image = await readImageFile(path);
	inspectImage(image);
	const release = await readReleaseFile(options.release ?? `${path}.release`);
	const { releaseKey, description } = options;
	const publicKey = releaseKey === undefined ? undefined : hexEncode(await loadPublicKey(releaseKey));
	const server = openServer(options, shell);
	// Before the image has gone all the way.
	const registered = await server.releaseKeys();
	await checkRole(server);
	checkKey(release, publicKey === undefined ? registered : [...registered, publicKey]);
	if (publicKey !== undefined && !registered.includes(publicKey)) await registerKey(server, publicKey);
	const bar = new ProgressBar({ output: shell.stderr, label: "upload", total: image.length });
	const onProgress = (sentBytes: number) => bar.update(sentBytes);
	const answer = await server.publish({ image, release, description, onProgress }).finally(() => bar.end());
	printLine(shell.stdout, `release ${answer.outcome}`);
	printFacts(shell.stdout, {
		"release id": answer.releaseId,
		version: answer.version,
		"device type": answer.deviceType,
		chip: answer.chip,
	});
}

async function checkRole(server: ServerClient): Promise<void> {
	if ((await server.role()) !== "viewer") return;
	throw new CliError("a viewer's token publishes nothing", {
		hint: "Give the token of an operator with --token or in FOTA_TOKEN.",
		exitCode: EXIT_CODES.refused,
	});
}

/** `known`: public keys in hex that the server has, or is about to. */
function checkKey(release: string, known: readonly string[]): void {
	const { keyId } = parseSignedStatement(release);
	if (known.some((publicKey) => publicKeyId(Buffer.from(publicKey, "hex")) === keyId)) return;
	throw new CliError(`the server does not know the release key ${keyId} that signed this`, {
		hint: "An admin registers it once, with --release-key and the release.pub beside the key. Or sign with a key it knows.",
		exitCode: EXIT_CODES.refused,
	});
}

async function registerKey(server: ServerClient, publicKeyHex: string): Promise<void> {
	try {
		await server.registerReleaseKey(publicKeyHex);
	} catch (error) {
		if (!(error instanceof RefusedError) || error.problem.code !== "forbidden") throw error;
		throw new RefusedError(
			error.problem,
			"The server does not know this release key yet. An admin registers it once, with this very command; " +
				"after that an operator's token is enough.",
		);
	}
}
