// Turns src/ into an image for the simulator: TypeScript compiler, XS bytecode, ESP32 image. Called by `fota build`,
// by the demo and by tests. Compiled once for each content of the sources, under build/firmware/, safe to run twice at
// a time. It must not know what the firmware does.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { promisify } from "node:util";
import type { Chip } from "../../src/protocol/release-statement.js";
import { buildEspImage } from "./esp-image-builder.js";
import { BUILD_ROOT, PROJECT_ROOT } from "./project-root.js";

const run = promisify(execFile);
const SOURCE_ROOT = join(PROJECT_ROOT, "src");
const CACHE_ROOT = join(BUILD_ROOT, "firmware");
const PROJECT_NAME = "xs-fota";
/** Modules of wired boards: the C behind them is built for the chip alone. */
const CHIP_ONLY = ["adapters/interface-ethernet", "native/ethernet/fota-ethernet"];

export interface FirmwareOptions {
	readonly version: string;
	/** Default esp32. */
	readonly chip?: Chip | undefined;
	/** Length of the image in bytes, a multiple of 16. Default: what the firmware needs. */
	readonly sizeBytes?: number | undefined;
	/** A TypeScript file outside src/ whose default export runs at boot instead of main's; it imports "main". */
	readonly entryFile?: string | undefined;
	/** Tells builds of one version apart. Default 0. */
	readonly buildNumber?: number | undefined;
	readonly securityVersion?: number | undefined;
}

export interface Firmware {
	readonly image: Uint8Array;
	/** SHA-256 of the image, 64 hex digits. */
	readonly hash: string;
}

export async function buildFirmware(options: FirmwareOptions): Promise<Firmware> {
	const image = buildEspImage({
		chip: options.chip ?? "esp32",
		version: options.version,
		projectName: PROJECT_NAME,
		payload: await buildPayload(options.entryFile),
		sizeBytes: options.sizeBytes,
		securityVersion: options.securityVersion,
		seed: options.buildNumber,
	});
	return { image, hash: createHash("sha256").update(image).digest("hex") };
}

/** The simulator's program; set-up builds it. */
export function simulatorPath(variant: "release" | "asan" = "release"): string {
	const path = join(BUILD_ROOT, "simulator", variant, "xs-fota-sim");
	if (existsSync(path)) return path;
	const option = variant === "asan" ? " --tests" : "";
	throw new Error(`the simulator is not built: run bash scripts/setup.sh${option}`);
}

/** The archive of XS bytecode that the simulated chip runs. */
async function buildPayload(entryFile: string | undefined): Promise<Uint8Array> {
	const simulator = simulatorPath();
	const modules = await compileSources();
	const entry = entryFile === undefined ? "main" : `entry/${basename(entryFile, ".ts")}`;
	const parts = [modules.key, modules.names.join(" "), await readFile(simulator)];
	if (entryFile !== undefined) parts.push(await readFile(entryFile));
	const folder = join(CACHE_ROOT, `payload-${digest(parts)}`);
	await buildOnce(folder, async (into) => {
		const pairs = modules.names.map((name) => `${name}=${join(modules.folder, `${name}.js`)}`);
		if (entryFile !== undefined) pairs.push(`${entry}=${await transpile(entryFile, into)}`);
		const output = join(into, "payload.xsfa");
		await runTool(simulator, ["compile", "--output", output, "--entry", entry, ...pairs]);
	});
	return readFile(join(folder, "payload.xsfa"));
}

interface CompiledSources {
	readonly key: string;
	readonly folder: string;
	/** Module specifiers: paths relative to src/ without extension. */
	readonly names: readonly string[];
}

async function compileSources(): Promise<CompiledSources> {
	const files = typescriptFiles(SOURCE_ROOT);
	const inputs = [...files, ...typescriptFiles(join(PROJECT_ROOT, "typings"))];
	for (const name of ["src/tsconfig.json", "tsconfig.json", "package-lock.json"])
		inputs.push(join(PROJECT_ROOT, name));
	const parts = await Promise.all(
		inputs.map(async (file) => `${relative(PROJECT_ROOT, file)}\n${await readFile(file, "utf8")}`),
	);
	const key = digest(parts);
	const folder = join(CACHE_ROOT, `js-${key}`);
	const compiler = join(PROJECT_ROOT, "node_modules", "typescript", "bin", "tsc");
	// Types are checked by npm run check, once; here they would cost every build many times what the rest does.
	const args = [compiler, "-p", SOURCE_ROOT, "--noCheck", "--outDir"];
	await buildOnce(folder, (into) => runTool(process.execPath, [...args, into]));
	const names = files
		.filter((file) => !file.endsWith(".d.ts"))
		.map((file) => relative(SOURCE_ROOT, file).replace(/\.ts$/, ""))
		.filter((name) => !CHIP_ONLY.includes(name));
	return { key, folder, names };
}

function typescriptFiles(folder: string): string[] {
	return readdirSync(folder, { recursive: true, encoding: "utf8" })
		.filter((name) => name.endsWith(".ts"))
		.sort()
		.map((name) => join(folder, name));
}

async function transpile(file: string, into: string): Promise<string> {
	const output = join(into, `${basename(file, ".ts")}.js`);
	// Loaded only where it is needed: it is large.
	const { default: ts } = await import("typescript");
	const { outputText } = ts.transpileModule(await readFile(file, "utf8"), {
		fileName: file,
		compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
	});
	await writeFile(output, outputText);
	return output;
}

// Built beside its place and renamed into it: whoever sees the folder sees all of it, also when two build at a time.
async function buildOnce(folder: string, build: (into: string) => Promise<void>): Promise<void> {
	if (existsSync(folder)) return;
	await mkdir(CACHE_ROOT, { recursive: true });
	const into = await mkdtemp(join(CACHE_ROOT, "building-"));
	try {
		await build(into);
		await rename(into, folder);
	} catch (error) {
		await rm(into, { recursive: true, force: true });
		if (!existsSync(folder)) throw error;
	}
}

async function runTool(program: string, args: readonly string[]): Promise<void> {
	try {
		await run(program, args, { maxBuffer: 1 << 22, timeout: 120_000 });
	} catch (error) {
		const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
		throw new Error(`${basename(args[0] ?? program)} failed:\n${`${stdout}${stderr}`.slice(0, 4000)}`, {
			cause: error,
		});
	}
}

function digest(parts: readonly (string | Uint8Array)[]): string {
	const hash = createHash("sha256");
	for (const part of parts) hash.update(part).update("\0");
	return hash.digest("hex").slice(0, 24);
}
