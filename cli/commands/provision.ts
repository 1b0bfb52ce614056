// `fota provision`: registers a device and makes what it is told once, by cable: its identity partition, or the whole
// flash of a board.
import { Command, Option } from "commander";
import { hexDecode, utf8Encode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import {
	DEFAULT_SETTINGS,
	encodeIdentity,
	type Identity,
	parseIdentity,
} from "../../src/protocol/identity.js";
import { KEY_BYTES } from "../../src/protocol/limits.js";
import type { Surroundings } from "../../src/protocol/surroundings.js";
import { CliError } from "../cli-error.js";
import { encodeDeviceFile } from "../device/device-file.js";
import { loadPublicKey } from "../release/release-key.js";
import { asTyped } from "../render/as-typed.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseChip, parseCount, parseName, parsePort } from "./arguments.js";
import { checkSecretOutput, writeSecret } from "./files.js";
import { type ProductOptions, productOf, withProductOptions } from "./provision-product.js";
import { openServer, type ServerChoice, withServerOptions } from "./server-options.js";
import {
	parseHost,
	type SurroundingsOptions,
	surroundingsFrom,
	withSurroundingsOptions,
} from "./surroundings-options.js";

interface ProvisionOptions extends ServerChoice, SurroundingsOptions, ProductOptions {
	readonly deviceId: string;
	readonly deviceType: string;
	readonly releaseKey: readonly string[];
	readonly host?: string;
	readonly port: number;
	readonly deviceFile?: string;
	readonly force?: boolean;
	readonly pollSeconds: number;
	readonly reportSeconds: number;
	readonly chunkSize: number;
	readonly chunksPerInterval: number;
	readonly intervalMs: number;
	readonly confirmSeconds: number;
	readonly rollbackTo: Identity["settings"]["rollbackTo"];
}

export function provisionCommand(shell: Shell): Command {
	const command = new Command("provision")
		.summary("make a device known, and its identity or flash")
		.description(
			"Registers a device at the server and writes what it must never lose: its id and key, the release keys " +
				"it trusts, the server it asks. The output has the device's secret key in it: mode 0600, keep it so.",
		)
		.requiredOption("--device-id <id>", "the device's name at the server", parseName)
		.requiredOption("--device-type <type>", "releases signed for this type are for it", parseName)
		.requiredOption(
			"--release-key <file...>",
			"release.pub it trusts (fota keygen); two while a key is replaced",
		)
		.option(
			"--host <host>",
			"name or IPv4 address at which the device reaches the server; needed, except with the --parts of " +
				"fota firmware --qemu, where it is 10.0.2.2",
			parseHost,
		)
		.requiredOption("--port <port>", "port at which the device reaches the server", parsePort)
		.requiredOption("--out <file>", "file to write");
	withProductOptions(command)
		.option(
			"--device-file <file>",
			"also the device's id and key as a small file, such as board-1.device.json, for fota push --device",
		)
		.option("--force", "write over a file that exists, unless a simulated device is running on it")
		.option("--chip <chip>", "esp32, esp32c3 or esp32s3", parseChip, "esp32")
		.optionsGroup("Settings of the device:")
		.option("--poll-seconds <n>", "time between two polls", parseCount, DEFAULT_SETTINGS.pollSeconds)
		.option(
			"--report-seconds <n>",
			"time between two progress reports",
			parseCount,
			DEFAULT_SETTINGS.reportSeconds,
		)
		.option(
			"--chunk-size <bytes>",
			"length of a chunk: 1024, 4096, 16384 or 32768",
			parseCount,
			DEFAULT_SETTINGS.chunkBytes,
		)
		.option(
			"--chunks-per-interval <n>",
			"chunks it fetches before it pauses; 0: all of them",
			parseCount,
			DEFAULT_SETTINGS.chunksPerInterval,
		)
		.option("--interval-ms <n>", "that pause, in milliseconds", parseCount, DEFAULT_SETTINGS.intervalMs)
		.option(
			"--confirm-seconds <n>",
			"a new firmware not confirmed by then is rolled back",
			parseCount,
			DEFAULT_SETTINGS.confirmSeconds,
		)
		.addOption(
			new Option("--rollback-to <slot>", "where a rollback goes when both slots are there")
				.choices(["previous", "factory"])
				.default(DEFAULT_SETTINGS.rollbackTo),
		);
	return withServerOptions(withSurroundingsOptions(command), "admin").action((options: ProvisionOptions) =>
		provision(options, shell),
	);
}

async function provision(options: ProvisionOptions, shell: Shell): Promise<void> {
	const product = await productOf(options);
	const host = options.host ?? product.host;
	if (host === undefined) throw new CliError("where is the server?", { hint: "Give --host." });
	const isForced = options.force === true;
	await checkSecretOutput(options.out, { isForced });
	if (options.deviceFile !== undefined) await checkSecretOutput(options.deviceFile, { isForced });
	const releaseKeys = await Promise.all(options.releaseKey.map(loadPublicKey));
	// Everything is checked before the server is told anything.
	const surroundings = await surroundingsFrom(options, shell);
	const draft = checkedIdentity(options, {
		releaseKeys,
		deviceKey: new Uint8Array(KEY_BYTES),
		server: { host, port: options.port },
		...surroundings,
	});
	const keyHex = await openServer(options, shell).registerDevice(options);
	const identity = { ...draft, deviceKey: hexDecode(keyHex, KEY_BYTES) ?? new Uint8Array(0) };
	await writeSecret(options.out, product.make(identity));
	if (options.deviceFile !== undefined)
		await writeSecret(options.deviceFile, utf8Encode(encodeDeviceFile(identity)));
	printLine(shell.stdout, `${product.title}: ${options.out}`);
	printFacts(shell.stdout, {
		"device id": options.deviceId,
		"device type": options.deviceType,
		server: `${host}:${options.port}`,
		next: asTyped(product.next, shell.environment),
	});
}

function checkedIdentity(
	options: ProvisionOptions,
	more: Pick<Identity, "releaseKeys" | "deviceKey" | "server"> & Surroundings,
): Identity {
	try {
		return parseIdentity(
			encodeIdentity({
				...more,
				deviceId: options.deviceId,
				deviceType: options.deviceType,
				settings: {
					pollSeconds: options.pollSeconds,
					reportSeconds: options.reportSeconds,
					chunkBytes: options.chunkSize,
					chunksPerInterval: options.chunksPerInterval,
					intervalMs: options.intervalMs,
					rollbackTo: options.rollbackTo,
					confirmSeconds: options.confirmSeconds,
				},
			}),
		);
	} catch (error) {
		if (error instanceof FotaError) throw new CliError(`not a valid identity: ${error.message}`);
		throw error;
	}
}
