// Moddable SDK, ESP-IDF and compiler as folders that look right to `fota doctor`, with fake-mcconfig.ts in them.
import { execFileSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { typescriptCommand } from "./typescript-process.js";

const COMPILER_VERSION = "esp-15.2.0";

export interface FakeToolchain {
	readonly MODDABLE: string;
	readonly IDF_PATH: string;
	readonly IDF_TOOLS_PATH: string;
}

export async function makeToolchain(
	folder: string,
	versions: { readonly sdk?: string; readonly idf?: string } = {},
): Promise<FakeToolchain> {
	const moddable = join(folder, "moddable");
	const idf = join(folder, "esp-idf");
	const tools = join(folder, "espressif");
	const bin = join(moddable, "build", "bin", process.platform === "darwin" ? "mac" : "lin", "release");
	for (const path of [bin, join(moddable, "tools"), join(moddable, "build", "devices", "esp32"), idf])
		await mkdir(path, { recursive: true });
	for (const compiler of ["riscv32-esp-elf", "xtensa-esp-elf"]) {
		const programs = join(tools, "tools", compiler, COMPILER_VERSION, compiler, "bin");
		await mkdir(programs, { recursive: true });
		await writeProgram(join(programs, `${compiler}-gcc`), "true");
	}
	const python = join(tools, "python_env", "idf6.0_py3.13_env", "bin");
	await mkdir(python, { recursive: true });
	await writeProgram(join(python, "python"), "true");
	await mkdir(join(idf, "tools"));
	await writeFile(join(idf, "tools", "tools.json"), JSON.stringify({ tools: listedTools() }));
	await writeFile(join(moddable, "tools", "VERSION"), `${versions.sdk ?? "8.2.3"}\n`);
	const manifest = { build: { EXPECTED_ESP_IDF: "v6.0" } };
	await writeFile(join(moddable, "build", "devices", "esp32", "manifest.json"), JSON.stringify(manifest));
	const fake = typescriptCommand("host-tests/support/fake-mcconfig.ts");
	await writeProgram(join(bin, "mcconfig"), `exec ${fake.map((part) => `"${part}"`).join(" ")} "$@"`);
	const git = (...args: readonly string[]) =>
		execFileSync("git", ["-C", idf, "-c", "user.name=test", "-c", "user.email=test@example.org", ...args]);
	git("init", "--quiet");
	git("commit", "--quiet", "--allow-empty", "--message=release");
	// Annotated, as ESP-IDF's are: git describe sees no others.
	if (versions.idf !== "nothing") git("tag", "-a", "-m", "release", versions.idf ?? "v6.0.2");
	return { MODDABLE: moddable, IDF_PATH: idf, IDF_TOOLS_PATH: tools };
}

/** As ESP-IDF's tools.json, which lists others as well. */
function listedTools() {
	return ["xtensa-esp-elf-gdb", "riscv32-esp-elf", "xtensa-esp-elf"].map((name) => ({
		name,
		versions: [
			{ name: "esp-16.0.0", status: "supported" },
			{ name: COMPILER_VERSION, status: "recommended" },
		],
	}));
}

/** A shell script that can be run. */
export async function writeProgram(path: string, lines: string): Promise<void> {
	await writeFile(path, `#!/bin/sh\n${lines}\n`);
	await chmod(path, 0o755);
}
