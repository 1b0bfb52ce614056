// What ESP-IDF's install.sh leaves beside ESP-IDF itself: compilers and a Python environment. A run of it that was cut short
// leaves folders without programs in them. Called by toolchain.ts. It must not know the SDK.
import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Chip } from "../../src/protocol/release-statement.js";
import { type Check, failed, passed } from "./check.js";
import { type Environment, findProgram, isProgram } from "./programs.js";

const COMPILERS: Readonly<Record<Chip, string>> = {
	esp32: "xtensa-esp-elf",
	esp32c3: "riscv32-esp-elf",
	esp32s3: "xtensa-esp-elf",
};

/** Where install.sh puts compilers and the emulator. */
export function idfToolsFolder(environment: Environment): string {
	return environment.IDF_TOOLS_PATH ?? join(environment.HOME ?? homedir(), ".espressif");
}

/** The version that this ESP-IDF wants, where it says so; any that can be run where it does not. */
export async function checkCompiler(environment: Environment, chip: Chip): Promise<Check> {
	const title = "compiler";
	const compiler = COMPILERS[chip];
	const folder = join(idfToolsFolder(environment), "tools", compiler);
	const there = (await readdir(folder).catch(() => [])).sort();
	const wanted = await wantedVersion(environment.IDF_PATH, compiler);
	for (const version of wanted === undefined ? there : [wanted])
		if (await isProgram(join(folder, version, compiler, "bin", `${compiler}-gcc`)))
			return passed(title, `${compiler} ${version}`);
	const place = wanted === undefined ? folder : join(folder, wanted);
	return failed(title, `no ${compiler}-gcc in ${place}`, installAdvice(environment, chip));
}

/** ESP-IDF's own list of tools says which version is its own. */
async function wantedVersion(idfPath: string | undefined, tool: string): Promise<string | undefined> {
	if (!idfPath) return undefined;
	try {
		const list = JSON.parse(await readFile(join(idfPath, "tools", "tools.json"), "utf8")) as ToolList;
		const versions = list.tools.find(({ name }) => name === tool)?.versions;
		return versions?.find(({ status }) => status === "recommended")?.name;
	} catch {
		// No list, or one of another form: any version will do.
		return undefined;
	}
}

interface ToolList {
	readonly tools: readonly {
		readonly name: string;
		readonly versions: readonly { readonly name: string; readonly status?: string }[];
	}[];
}

export interface PythonQuestion {
	readonly chip: Chip;
	/** Of the build: where idf.py is on it, ESP-IDF's export.sh has been sourced and mcconfig does not do it again. */
	readonly path: string | undefined;
	/** Such as v6.0. */
	readonly expected: string;
}

/** Without it idf.py does not start, and mcconfig ends in the middle. */
export async function checkIdfPython(environment: Environment, question: PythonQuestion): Promise<Check> {
	const title = "Python of ESP-IDF";
	const onPath = await findProgram("idf.py", question.path);
	if (onPath !== undefined) return passed(title, onPath);
	const folder = join(idfToolsFolder(environment), "python_env");
	const prefix = `idf${question.expected.replace(/^v/, "")}_`;
	const named = environment.IDF_PYTHON_ENV_PATH;
	const candidates = (await readdir(folder).catch(() => []))
		.filter((name) => name.startsWith(prefix))
		.map((name) => join(folder, name));
	for (const candidate of named === undefined ? candidates : [named])
		if (await isProgram(join(candidate, "bin", "python"))) return passed(title, candidate);
	const found = named === undefined ? `no ${join(folder, prefix)}*` : `no bin/python in ${named}`;
	return failed(title, found, installAdvice(environment, question.chip));
}

function installAdvice({ IDF_PATH: idfPath }: Environment, chip: Chip): string {
	return idfPath
		? `Run $IDF_PATH/install.sh ${chip}, again if it did not come to its end ("All done!").`
		: "ESP-IDF's install.sh brings it: docs/device.md §1.";
}
