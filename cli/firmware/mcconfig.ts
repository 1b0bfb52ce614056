// Runs mcconfig and finds what it made. mcconfig's make file goes on after a failed link and copies what an earlier build
// left, so the old outputs are taken away first: what is there afterwards is new. Called by firmware-runner.ts.
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { CliError } from "../cli-error.js";
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
	const hint = `Everything mcconfig said is in ${run.logPath}.`;
	if (exitCode !== 0) throw new CliError(`mcconfig ended with ${exitCode ?? "a signal"}`, { hint });
	const read = async (name: string) =>
		readFile(join(folders.outputs, name)).catch((cause: NodeJS.ErrnoException) => {
			throw new CliError(`mcconfig made no ${name}`, { hint, cause });
		});
	return {
		image: await read(OUTPUTS.image),
		bootloader: await read(OUTPUTS.bootloader),
		table: await read(OUTPUTS.table),
		otadata: await read(OUTPUTS.otadata),
	};
}

function buildFolders({ moddable, target, isDebug }: McconfigRun): { outputs: string; idf: string } {
	const below = [...target.platform.split("/"), isDebug ? "debug" : "release", target.name];
	return {
		outputs: join(moddable, "build", "bin", ...below),
		idf: join(moddable, "build", "tmp", ...below, `xsProj-${target.chip}`, "build"),
	};
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
