// Runs mcconfig and finds what it made. mcconfig's make file goes on after a failed link and copies what an earlier build
// left, so the old outputs are taken away first: what is there afterwards is new. Called by firmware-runner.ts.
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { CliError } from "../cli-error.js";
import { printable } from "../render/device-table.js";
import type { BuildFiles } from "./build-files.js";
import type { BuildTarget } from "./build-target.js";

export interface McconfigRun {
	readonly target: BuildTarget;
	readonly files: BuildFiles;
	readonly isDebug: boolean;
	readonly moddable: string;
	readonly env: Record<string, string>;
	/** File for everything mcconfig prints, over an old one. */
	readonly logPath: string;
	readonly onOutput: (text: Buffer) => void;
}

export interface McconfigOutputs {
	/** The application: what a device installs. */
	readonly image: Uint8Array;
	readonly bootloader: Uint8Array;
	readonly table: Uint8Array;
	readonly otadata: Uint8Array;
	/** The sdkconfig that ESP-IDF made of the SDK's settings and this project's, and built with; undefined: none was left. */
	readonly settings: string | undefined;
}

const OUTPUTS = {
	image: "xs_esp32.bin",
	bootloader: "bootloader.bin",
	table: "partition-table.bin",
	otadata: "ota_data_initial.bin",
} as const;

/** Throws CliError with the place of the log when there is no image at the end. */
export async function runMcconfig(run: McconfigRun): Promise<McconfigOutputs> {
	const folders = buildFolders(run);
	const old = Object.values(OUTPUTS).map((name) => join(folders.outputs, name));
	// ESP-IDF makes the image again only when its time stamp is gone too.
	const halfway = [OUTPUTS.image, ".bin_timestamp"].map((name) => join(folders.idf, name));
	await Promise.all([...old, ...halfway].map((path) => rm(path, { force: true })));
	const exitCode = await spawnLogged(run);
	const failure = await failureOf(run.logPath);
	if (exitCode !== 0) throw failure(`mcconfig ended with ${exitCode ?? "a signal"}`);
	const read = async (name: string) =>
		readFile(join(folders.outputs, name)).catch((cause: NodeJS.ErrnoException) => {
			throw failure(`mcconfig made no ${name}`, cause);
		});
	return {
		image: await read(OUTPUTS.image),
		bootloader: await read(OUTPUTS.bootloader),
		table: await read(OUTPUTS.table),
		otadata: await read(OUTPUTS.otadata),
		settings: await readFile(join(folders.project, "sdkconfig"), "utf8").catch(() => undefined),
	};
}

/** An error with the line of the log that tells the cause; thousands stand before and behind it. */
async function failureOf(logPath: string): Promise<(message: string, cause?: unknown) => CliError> {
	const line = firstCause(await readFile(logPath, "utf8"));
	const hint = `Everything mcconfig said is in ${logPath}; docs/device.md §12 has the usual causes.`;
	return (message, cause) =>
		new CliError(line === undefined ? message : `${message}: ${line}`, { hint, cause });
}

const CAUSE = /\berror:|command not found|: not found$|^CMake Error|\*\*\* \[/i;
const CAUSE_MAX_CHARS = 200;

/** The first line of a build's output that says what went wrong; what follows from it comes later. */
export function firstCause(log: string): string | undefined {
	const line = log.split(/\r?\n/).find((candidate) => CAUSE.test(candidate));
	return line === undefined ? undefined : printable(line.trim()).slice(0, CAUSE_MAX_CHARS);
}

interface BuildFolders {
	readonly outputs: string;
	/** ESP-IDF's project, and the folder it builds in. */
	readonly project: string;
	readonly idf: string;
}

function buildFolders({ moddable, target, isDebug }: McconfigRun): BuildFolders {
	const below = [...target.platform.split("/"), isDebug ? "debug" : "release", target.name];
	const project = join(moddable, "build", "tmp", ...below, `xsProj-${target.chip}`);
	return { outputs: join(moddable, "build", "bin", ...below), project, idf: join(project, "build") };
}

async function spawnLogged(run: McconfigRun): Promise<number | undefined> {
	const args = [
		...(run.isDebug ? ["-d"] : []),
		"-m",
		"-p",
		run.target.platform,
		"-t",
		"build",
		run.files.manifest,
	];
	const log = createWriteStream(run.logPath);
	const child = spawn("mcconfig", args, {
		cwd: run.files.folder,
		env: run.env,
		stdio: ["ignore", "pipe", "pipe"],
	});
	for (const stream of [child.stdout, child.stderr])
		stream.on("data", (text: Buffer) => {
			log.write(text);
			run.onOutput(text);
		});
	try {
		return await new Promise<number | undefined>((resolve, reject) => {
			child.once("error", (cause: NodeJS.ErrnoException) =>
				reject(
					new CliError(`mcconfig cannot be started: ${cause.code}`, { hint: "Run fota doctor.", cause }),
				),
			);
			child.once("close", (code) => resolve(code ?? undefined));
		});
	} finally {
		log.end();
		await finished(log);
	}
}
