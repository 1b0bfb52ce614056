// The tools a build for a chip needs, and whether they are there: Moddable SDK, ESP-IDF, TypeScript. Called by
// `fota doctor`, and by `fota firmware` before it builds. It must not know the project's own files.
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Chip } from "../../src/protocol/release-statement.js";
import { PROJECT_ROOT } from "../image/project-root.js";
import { type Check, failed, passed } from "./check.js";
import { checkCompiler, checkIdfPython } from "./idf-tools.js";
import { type Environment, findProgram, toolOutput } from "./programs.js";

const SDK_SERIES = "8.2";
/** Used where the SDK does not say which ESP-IDF it expects. */
const IDF_EXPECTED = "v6.0";
const TYPESCRIPT_MAJOR = 6;

/** The environment a build runs in: the project's own TypeScript first, then the SDK's tools. */
export function buildEnvironment(environment: Environment): Record<string, string> {
	const folders = [join(PROJECT_ROOT, "node_modules", ".bin")];
	if (environment.MODDABLE) folders.push(sdkTools(environment.MODDABLE));
	if (environment.PATH) folders.push(environment.PATH);
	const set = Object.entries(environment).filter(
		(entry): entry is [string, string] => entry[1] !== undefined,
	);
	return { ...Object.fromEntries(set), PATH: folders.join(delimiter) };
}

function sdkTools(moddable: string): string {
	const platform = { darwin: "mac", win32: "win" }[process.platform as string] ?? "lin";
	return join(moddable, "build", "bin", platform, "release");
}

/** All of them, also behind a failed one: a person installs several things at a time. */
export async function checkToolchain(environment: Environment, chip: Chip): Promise<readonly Check[]> {
	const env = buildEnvironment(environment);
	return Promise.all([
		checkSdk(environment.MODDABLE),
		checkSdkTools(env),
		checkIdf(environment),
		checkCompiler(environment, chip),
		checkIdfPython(environment, { chip, path: env.PATH, expected: await expectedIdf(environment.MODDABLE) }),
		checkTypescript(env),
	]);
}

async function checkSdk(moddable: string | undefined): Promise<Check> {
	const title = "Moddable SDK";
	if (!moddable) return failed(title, "MODDABLE is not set", setOrInstall("MODDABLE"));
	const text = await readFile(join(moddable, "tools", "VERSION"), "utf8").catch(() => undefined);
	if (text === undefined)
		return failed(title, `no tools/VERSION in ${moddable}`, "Set MODDABLE to the folder of the SDK.");
	const version = text.trim().slice(0, 40);
	if (version === SDK_SERIES || version.startsWith(`${SDK_SERIES}.`)) return passed(title, version);
	return failed(
		title,
		version,
		`Check out the tag ${SDK_SERIES}.3 in ${moddable} and build its tools again.`,
	);
}

function setOrInstall(variable: string): string {
	return `Installed? Set it: export ${variable}=… (a new terminal may need \`. ~/.profile\`). Else install it: docs/device.md §1.`;
}

async function checkSdkTools(env: Record<string, string>): Promise<Check> {
	const title = "SDK tools";
	const path = await findProgram("mcconfig", env.PATH);
	if (path !== undefined) return passed(title, path);
	const next = env.MODDABLE
		? "Build them: make -C $MODDABLE/build/makefiles/lin (docs/device.md §1)."
		: "They are the SDK's: found once MODDABLE is set.";
	return failed(title, "no mcconfig", next);
}

/** The version as the SDK's make file asks for it, and as its versionCheck.py judges it: major and minor must agree. */
async function checkIdf(environment: Environment): Promise<Check> {
	const title = "ESP-IDF";
	const { IDF_PATH: idfPath, MODDABLE: moddable } = environment;
	if (!idfPath) return failed(title, "IDF_PATH is not set", setOrInstall("IDF_PATH"));
	const expected = await expectedIdf(moddable);
	const found = await toolOutput("git", ["-C", idfPath, "describe", "--always", "--abbrev=0"], environment);
	if (found === undefined)
		return failed(title, `${idfPath} is no git checkout`, "The SDK asks git for its version: clone it.");
	const series = (text: string) => /^v?([0-9]+)\.([0-9]+)/.exec(text)?.slice(1).join(".");
	if (series(found) !== undefined && series(found) === series(expected)) return passed(title, found);
	const next = `The SDK takes ${expected}.x alone: git checkout ${expected}, then install.sh again.`;
	return failed(title, found.slice(0, 40), next);
}

async function expectedIdf(moddable: string | undefined): Promise<string> {
	const path = join(moddable ?? "", "build", "devices", "esp32", "manifest.json");
	const text = moddable ? await readFile(path, "utf8").catch(() => "") : "";
	return /"EXPECTED_ESP_IDF"\s*:\s*"([^"]+)"/.exec(text)?.[1] ?? IDF_EXPECTED;
}

async function checkTypescript(env: Record<string, string>): Promise<Check> {
	const title = "TypeScript";
	const found = await toolOutput("tsc", ["--version"], env);
	if (found === undefined) return failed(title, "no tsc", "Run npm run setup.");
	const major = Number(/Version ([0-9]+)\./.exec(found)?.[1] ?? 0);
	if (major >= TYPESCRIPT_MAJOR) return passed(title, found.replace("Version ", ""));
	return failed(title, found, `The SDK compiles for es2025, which TypeScript ${TYPESCRIPT_MAJOR} knows.`);
}
