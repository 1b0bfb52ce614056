// Finds a qemu-system-riscv32 that knows the ESP32-C3. Debian's has that name and does not; Espressif's does. Called by
// `fota qemu`. It must not know what is run in it.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CliError } from "../cli-error.js";
import { idfToolsFolder } from "../firmware/idf-tools.js";
import { type Environment, findProgram, toolOutput } from "../firmware/programs.js";

const PROGRAM = "qemu-system-riscv32";
const MACHINE = "esp32c3";
const INSTALL =
	"Install Espressif's: python tools/idf_tools.py install qemu-riscv32 in ESP-IDF's folder (on Debian it needs libslirp0, " +
	"libpixman-1-0, libsdl2-2.0-0 and libgcrypt20), or unpack qemu-riscv32-softmmu from " +
	"https://github.com/espressif/qemu/releases and put its bin/ on PATH.";

/** Path of the program: on PATH first, then where ESP-IDF's installer puts it. Throws CliError that says what to install. */
export async function findQemu(environment: Environment): Promise<string> {
	const onPath = await findProgram(PROGRAM, environment.PATH);
	const candidates = [...(onPath === undefined ? [] : [onPath]), ...(await installedByIdf(environment))];
	for (const candidate of candidates) {
		const machines = await toolOutput(candidate, ["-machine", "help"], environment);
		if (new RegExp(`^${MACHINE}\\b`, "m").test(machines ?? "")) return candidate;
	}
	const found = onPath === undefined ? `no ${PROGRAM}` : `${onPath} knows no ${MACHINE}`;
	throw new CliError(found, { hint: INSTALL });
}

async function installedByIdf(environment: Environment): Promise<readonly string[]> {
	const folder = join(idfToolsFolder(environment), "tools", "qemu-riscv32");
	const versions = await readdir(folder).catch(() => []);
	return versions
		.sort()
		.reverse()
		.map((version) => join(folder, version, "qemu", "bin", PROGRAM));
}
