// `fota push`: brings a signed image to one device on the local network, without the server.
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { FotaError } from "../../src/protocol/error-codes.js";
import { type DeviceInformation, PUSH_PORT } from "../../src/protocol/push.js";
import { parseSignedStatement, type ReleaseStatement } from "../../src/protocol/release-statement.js";
import { CliError, EXIT_CODES } from "../cli-error.js";
import { readDeviceFile } from "../device/device-file.js";
import {
	askDevice,
	confirmPush,
	type DeviceAddress,
	PushRefusedError,
	pushImage,
} from "../device/push-client.js";
import { inspectImage } from "../release/sign-release.js";
import { ProgressBar } from "../render/progress-bar.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseCount } from "./arguments.js";
import { readImageFile, readReleaseFile } from "./files.js";

/** Between two questions while the device restarts and is on trial. */
const ASK_EVERY_MS = 3000;
const WAIT_DEFAULT_SECONDS = 600;

interface PushOptions {
	readonly host: DeviceAddress;
	readonly image: string;
	readonly release?: string;
	readonly device: string;
	readonly wait?: boolean;
	readonly confirm?: boolean;
	readonly waitSeconds: number;
}

export function pushCommand(shell: Shell): Command {
	return new Command("push")
		.summary("bring a signed image to one device on the local network")
		.description(
			"Asks the device what it is, sends the image with its release statement, and says how it ended. The device " +
				"verifies it like one from the server, restarts into it on trial, and goes back if it fails.",
		)
		.requiredOption(
			"--host <address>",
			`the device: an address or name, with :port where it is not ${PUSH_PORT}`,
			parseHost,
		)
		.requiredOption("--image <file>", "the application's .bin")
		.requiredOption("--device <file>", "the device's key: what fota provision wrote for it")
		.option("--release <file>", "what fota sign wrote; default <image>.release")
		.option("--wait", "until the device has confirmed the new version, or has gone back")
		.option(
			"--confirm",
			"vouch for the new version once it runs, in the place of a server that the device cannot reach; waits as --wait does",
		)
		.option("--wait-seconds <n>", "give up waiting then", parseCount, WAIT_DEFAULT_SECONDS)
		.action((options: PushOptions) => push(options, shell));
}

async function push(options: PushOptions, shell: Shell): Promise<void> {
	const image = await readImageFile(options.image);
	const release = await readReleaseFile(options.release ?? `${options.image}.release`);
	const secret = await readDeviceFile(options.device);
	const statement = readStatement(release);
	const info = await askDevice(options.host);
	showDevice(info, shell);
	checkBefore({ image, statement, info, deviceId: secret.deviceId });
	const bar = new ProgressBar({ output: shell.stderr, label: "push", total: image.length });
	const result = await pushImage(options.host, {
		image,
		release,
		deviceKey: secret.deviceKey,
		challenge: info.challenge,
		onProgress: (sentBytes) => bar.update(sentBytes),
	}).finally(() => bar.end());
	printLine(
		shell.stdout,
		`${result.version} is verified and activated; ${info.deviceId} restarts in ${result.restartSeconds} s`,
	);
	const { version } = statement;
	const { deviceKey } = secret;
	const vouch = (challenge: string) => confirmPush(options.host, { release, deviceKey, challenge });
	if (options.confirm) await waitForVersion(options, { info, version, shell, vouch });
	else if (options.wait) await waitForVersion(options, { info, version, shell });
}

function readStatement(release: string): ReleaseStatement {
	try {
		return parseSignedStatement(release).statement;
	} catch (error) {
		if (error instanceof FotaError)
			throw new CliError(`not a release statement: ${error.message}`, { hint: "Give what fota sign wrote." });
		throw error;
	}
}

function showDevice(info: DeviceInformation, shell: Shell): void {
	printLine(shell.stdout, `device ${info.deviceId}`);
	printFacts(shell.stdout, {
		"device type": info.deviceType,
		chip: info.chip,
		version: `${info.version} in ${info.running}${info.isOnTrial ? ", on trial" : ""}`,
		"built at": info.builtAt,
		"ESP-IDF": info.idfVersion,
		slots: info.slots
			.map(({ label, state, version }) => `${label} ${version ?? "empty"} (${state})`)
			.join(", "),
		state: info.state,
		warning: info.warning,
	});
}

/** What can be known without sending a byte. The device checks all of it again. */
function checkBefore(facts: {
	readonly image: Uint8Array;
	readonly statement: ReleaseStatement;
	readonly info: DeviceInformation;
	readonly deviceId: string;
}): void {
	const { image, statement, info, deviceId } = facts;
	const found = inspectImage(image);
	if (found.hash !== statement.hash)
		throw new CliError("image and release statement do not belong together", {
			hint: "Run fota sign on this very file.",
		});
	if (info.deviceId !== deviceId)
		throw new CliError(`this is ${info.deviceId}, the key is that of ${deviceId}`, {
			hint: "Give its own file with --device, or another --host.",
		});
	if (found.chip !== info.chip || statement.chip !== info.chip)
		throw new CliError(`the image is for ${found.chip ?? "another chip"}, the device is an ${info.chip}`, {
			hint: `Build it with --chip ${info.chip}.`,
		});
	if (statement.deviceType !== info.deviceType)
		throw new CliError(`the release is for ${statement.deviceType}, the device is a ${info.deviceType}`, {
			hint: `Sign it with --device-type ${info.deviceType}, if it is meant for it.`,
		});
}

interface Awaited {
	/** As it was before. */
	readonly info: DeviceInformation;
	readonly version: string;
	readonly shell: Shell;
	/** Once it runs. Throws as confirmPush. */
	readonly vouch?: (challenge: string) => Promise<unknown>;
}

async function waitForVersion({ host, waitSeconds }: PushOptions, awaited: Awaited): Promise<void> {
	const { info, version, shell } = awaited;
	const end = Date.now() + waitSeconds * 1000;
	let seen: DeviceInformation | undefined;
	let hasRestarted = false;
	let hasVouched = awaited.vouch === undefined;
	while (Date.now() < end) {
		await sleep(ASK_EVERY_MS);
		seen = await askDevice(host).catch(() => undefined);
		if (seen === undefined) continue;
		if (seen.version === version && !seen.isOnTrial) {
			printLine(shell.stdout, `${info.deviceId} runs ${version}, confirmed`);
			return;
		}
		if (seen.version === version && !hasRestarted)
			printLine(shell.stdout, `${info.deviceId} runs ${version}, on trial`);
		hasRestarted ||= seen.version === version;
		if (!hasVouched && seen.version === version) hasVouched = await vouchFor(seen, awaited);
		if (seen.version !== version && hasGivenUp(seen, version)) throw wentBack(seen, version);
	}
	throw new CliError(
		seen === undefined ? "the device did not answer again" : `the device runs ${seen.version}, ${seen.state}`,
		{ hint: "Read its serial log; on trial it goes back by itself.", exitCode: EXIT_CODES.unreachable },
	);
}

/** False: the device did not answer, or cannot say yet; to be tried again. */
async function vouchFor(seen: DeviceInformation, { vouch, shell, version }: Awaited): Promise<boolean> {
	try {
		await vouch?.(seen.challenge);
	} catch (error) {
		const isBusy = error instanceof PushRefusedError && error.problem.code === "device-busy";
		if (isBusy || (error instanceof CliError && error.exitCode === EXIT_CODES.unreachable)) return false;
		throw error;
	}
	printLine(
		shell.stdout,
		`${seen.deviceId} is told to keep ${version}; it does after half a minute without a fault`,
	);
	return true;
}

/** Its boot record says so: before the restart it is new. */
function hasGivenUp(seen: DeviceInformation, version: string): boolean {
	const slot = seen.slots.find((candidate) => candidate.version === version);
	return slot?.state === "aborted" || slot?.state === "invalid";
}

function wentBack(seen: DeviceInformation, version: string): CliError {
	return new CliError(`${seen.deviceId} went back to ${seen.version}: ${version} failed its trial`, {
		hint: "Read its serial log, or fota logs --device-id where it has a server.",
		exitCode: EXIT_CODES.refused,
	});
}

/** A name or IPv4 address, or an IPv6 address in brackets, with an optional port. */
function parseHost(text: string): DeviceAddress {
	const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?$/.exec(text);
	const port = match?.[2] === undefined ? PUSH_PORT : Number(match[2]);
	if (match?.[1] === undefined || port < 1 || port > 65_535)
		throw new InvalidArgumentError(
			"An address or name such as 192.168.1.20, board-1.local or 127.0.0.1:40123.",
		);
	return { host: match[1].replace(/^\[|\]$/g, ""), port };
}
