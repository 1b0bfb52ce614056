// `fota firmware`: builds src/ for a chip with mcconfig, checks what came out, and signs it.
import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Command } from "commander";
import { CliError } from "../cli-error.js";
import { type BuildTarget, findTarget } from "../firmware/build-target.js";
import { checkLines } from "../firmware/check.js";
import { type BuiltFirmware, buildChipFirmware } from "../firmware/firmware-runner.js";
import { checkProject } from "../firmware/project-checks.js";
import { checkToolchain } from "../firmware/toolchain.js";
import { PROJECT_ROOT } from "../image/project-root.js";
import { loadReleaseKey, type ReleaseKey } from "../release/release-key.js";
import { signRelease } from "../release/sign-release.js";
import { asTyped } from "../render/as-typed.js";
import { printFacts, printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { parseCount, parseName, parseVersion } from "./arguments.js";
import { writeOutput } from "./files.js";
import { type TargetOptions, targetKind, withTargetOptions } from "./target-options.js";

interface FirmwareOptions extends TargetOptions {
	readonly version?: string;
	readonly release?: boolean;
	readonly debug?: boolean;
	readonly manifest?: string;
	readonly out?: string;
	readonly key?: string;
	readonly deviceType?: string;
	readonly buildNumber?: number;
	readonly minCurrentVersion?: string;
	readonly securityVersion?: number;
}

export function firmwareCommand(shell: Shell): Command {
	const command = new Command("firmware")
		.summary("build the firmware for a chip")
		.description(
			"Checks the tools, runs mcconfig, checks the image that came out (version, chip, room in the slot) and " +
				"leaves all parts in build/firmware-chip/. With --key it signs the image, ready for fota publish.",
		);
	return withTargetOptions(command)
		.option("--version <version>", "version of the firmware; default: the one in package.json", parseVersion)
		.option("--release", "what devices run; the default")
		.option("--debug", "for the debugger on your desk: never signed, never published")
		.option("--manifest <file>", "your application's; default: this project's for the board")
		.option("--out <folder>", "for the parts, over older ones; default build/firmware-chip/<board>")
		.optionsGroup("To sign it:")
		.option("--key <file>", "release.key of fota keygen")
		.option("--device-type <type>", "the devices it is for; needed with --key", parseName)
		.option("--build-number <n>", "tells builds of one version apart; default 0", parseCount)
		.option("--min-current-version <version>", "devices below this version do not take it", parseVersion)
		.option(
			"--security-version <n>",
			"devices never go below the highest one they ran; default: the image's own, which is 0",
			parseCount,
		)
		.action((options: FirmwareOptions) => firmware(options, shell));
}

async function firmware(options: FirmwareOptions, shell: Shell): Promise<void> {
	const key = await signingKey(options);
	const version = options.version ?? (await packageVersion());
	const moddable = shell.environment.MODDABLE;
	const found = await findTarget({ platform: options.target, kind: targetKind(options), moddable });
	const target = { ...found, manifestPath: resolve(options.manifest ?? found.manifestPath) };
	await checkFirst(target, shell);
	const built = await buildChipFirmware({
		target,
		version,
		isDebug: options.debug === true,
		outFolder: options.out,
		environment: shell.environment,
		onOutput: (text) => shell.stderr.write(text),
	});
	const releasePath = `${built.imagePath}.release`;
	if (key && options.deviceType !== undefined) {
		const terms = { ...options, deviceType: options.deviceType };
		await writeOutput(releasePath, `${signRelease(built.image, terms, key)}\n`);
	}
	printLine(
		shell.stdout,
		`firmware for ${options.debug ? "the debugger" : target.platform}: ${shown(built.imagePath)}`,
	);
	printFacts(shell.stdout, {
		version,
		chip: target.chip,
		bytes: `${built.image.length} of ${built.slotBytes}, ${freePercent(built)} % of the slot free`,
		"SHA-256": built.hash,
		release: key ? shown(releasePath) : undefined,
		parts: shown(built.folder),
		next: asTyped(nextStep(target, built, options), shell.environment),
	});
}

async function signingKey(options: FirmwareOptions): Promise<ReleaseKey | undefined> {
	if (options.debug && options.release) throw new CliError("a build is either --debug or --release");
	if (options.key === undefined) return undefined;
	// Threat: a debug build waits for a debugger and keeps its memory open to one; no device in the field may get it.
	if (options.debug)
		throw new CliError("a debug build is not signed", { hint: "Leave out --debug for a release, or --key." });
	if (options.deviceType === undefined)
		throw new CliError("which devices is it for?", { hint: "Give --device-type with --key." });
	return loadReleaseKey(options.key);
}

async function packageVersion(): Promise<string> {
	const text = await readFile(join(PROJECT_ROOT, "package.json"), "utf8");
	return parseVersion((JSON.parse(text) as { version: string }).version);
}

/** A build of minutes that fails at its end for want of a tool is avoided. */
async function checkFirst(target: BuildTarget, shell: Shell): Promise<void> {
	const checks = [...(await checkToolchain(shell.environment, target.chip)), ...(await checkProject(target))];
	const bad = checks.filter(({ isOk }) => !isOk);
	if (bad.length === 0) return;
	for (const line of checkLines(bad)) printLine(shell.stderr, asTyped(line, shell.environment));
	throw new CliError("the firmware cannot be built yet", {
		hint: "Do what → says; fota doctor shows all checks.",
	});
}

function freePercent({ image, slotBytes }: BuiltFirmware): number {
	return Math.floor((100 * (slotBytes - image.length)) / slotBytes);
}

function nextStep(target: BuildTarget, built: BuiltFirmware, options: FirmwareOptions): string {
	if (options.key !== undefined) return `fota publish ${shown(built.imagePath)}`;
	const parts = `--parts ${shown(built.folder)}`;
	return target.kind === "qemu" ? `fota qemu ${parts}` : `fota flash ${parts} --port /dev/ttyUSB0`;
}

function shown(path: string): string {
	const short = relative("", path);
	return short.startsWith("..") ? path : short;
}
