// `fota provision`: registers a device and makes what it is told once, by cable: its identity partition, or the whole
// flash of a simulated board.
import { Command, InvalidArgumentError, Option } from "commander";
import { hexDecode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import {
	DEFAULT_SETTINGS,
	encodeIdentity,
	type Identity,
	parseIdentity,
} from "../../src/protocol/identity.js";
import { KEY_BYTES } from "../../src/protocol/limits.js";
import type { Chip } from "../../src/protocol/release-statement.js";
import { CliError } from "../cli-error.js";
import { buildFlash, buildIdentityPartition, findPartition } from "../image/flash-image.js";
import { projectPartitions } from "../image/partition-table.js";
import { loadPublicKey } from "../release/release-key.js";
import { inspectImage } from "../release/sign-release.js";
import { HELP_GROUPS } from "../render/help.js";
import { printFacts, printLine } from "../render/text.js";
import { parseChip, parseCount, parseName, parsePort } from "./arguments.js";
import { checkSecretOutput, readImageFile, writeSecret } from "./files.js";
import { openServer, type ServerChoice, withServerOptions } from "./server-options.js";

interface ProvisionOptions extends ServerChoice {
	readonly deviceId: string;
	readonly deviceType: string;
	readonly releaseKey: readonly string[];
	readonly host: string;
	readonly port: number;
	readonly chip: Chip;
	readonly image?: string;
	readonly identityOnly?: boolean;
	readonly out: string;
	readonly force?: boolean;
	readonly pollSeconds: number;
	readonly reportSeconds: number;
	readonly chunkSize: number;
	readonly chunksPerInterval: number;
	readonly intervalMs: number;
	readonly confirmSeconds: number;
	readonly rollbackTo: Identity["settings"]["rollbackTo"];
}

export function provisionCommand(): Command {
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
		.requiredOption("--host <address>", "IPv4 address at which the device reaches the server", parseAddress)
		.requiredOption("--port <port>", "port at which the device reaches the server", parsePort)
		.requiredOption("--out <file>", "file to write")
		.optionsGroup("What to make, one of these:")
		.option("--image <file>", "the whole flash of a simulated board, with this application in the first slot")
		.option("--identity-only", "the partition fota_id alone, for esptool write_flash on a real board")
		.optionsGroup(HELP_GROUPS.other)
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
	return withServerOptions(command).action(provision);
}

async function provision(options: ProvisionOptions): Promise<void> {
	if ((options.image === undefined) === (options.identityOnly !== true)) {
		throw new CliError("what to make?", { hint: "Give either --image <file> or --identity-only." });
	}
	await checkSecretOutput(options.out, { isForced: options.force === true });
	const image = options.image === undefined ? undefined : await imageFor(options.image, options.chip);
	const releaseKeys = await Promise.all(options.releaseKey.map(loadPublicKey));
	// Everything is checked before the server is told anything.
	const draft = checkedIdentity(options, { releaseKeys, deviceKey: new Uint8Array(KEY_BYTES) });
	const keyHex = await openServer(options).registerDevice(options);
	const identity = { ...draft, deviceKey: hexDecode(keyHex, KEY_BYTES) ?? new Uint8Array(0) };
	const bytes = image ? buildFlash({ identity, image }) : buildIdentityPartition(identity);
	await writeSecret(options.out, bytes);
	printLine(image ? `flash of a new board: ${options.out}` : `identity partition: ${options.out}`);
	const { offsetBytes } = findPartition(projectPartitions(), "fota_id");
	const simulator = `build/simulator/release/xs-fota-sim run --flash ${options.out} --chip ${options.chip}`;
	printFacts({
		"device id": options.deviceId,
		"device type": options.deviceType,
		server: `${options.host}:${options.port}`,
		next: image ? simulator : `esptool write_flash 0x${offsetBytes.toString(16)} ${options.out}`,
	});
}

async function imageFor(path: string, chip: Chip): Promise<Uint8Array> {
	const image = await readImageFile(path);
	const found = inspectImage(image);
	if (found.chip !== chip)
		throw new CliError(`${path} is for ${found.chip ?? "another chip"}`, {
			hint: `Say --chip ${found.chip}.`,
		});
	return image;
}

function checkedIdentity(
	options: ProvisionOptions,
	keys: Pick<Identity, "releaseKeys" | "deviceKey">,
): Identity {
	try {
		return parseIdentity(
			encodeIdentity({
				...keys,
				deviceId: options.deviceId,
				deviceType: options.deviceType,
				server: { host: options.host, port: options.port },
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

function parseAddress(text: string): string {
	const parts = text.split(".");
	const isAddress =
		parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256);
	if (!isAddress)
		throw new InvalidArgumentError("An IPv4 address such as 192.168.1.10: devices resolve no names yet.");
	return text;
}
