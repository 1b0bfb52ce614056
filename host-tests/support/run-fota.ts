// Runs the command line as a process, as a person does.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";

const run = promisify(execFile);
const TSX = join(PROJECT_ROOT, "node_modules", ".bin", "tsx");
const MAIN = join(PROJECT_ROOT, "cli", "main.ts");

export interface FotaOutcome {
	readonly code: number;
	readonly out: string;
	readonly error: string;
}

export async function runFota(
	args: readonly string[],
	options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<FotaOutcome> {
	const env = { ...process.env, ...options.env };
	try {
		const { stdout, stderr } = await run(TSX, [MAIN, ...args], { cwd: options.cwd, env, timeout: 60_000 });
		return { code: 0, out: stdout, error: stderr };
	} catch (cause) {
		const { code, stdout, stderr } = cause as { code: number; stdout: string; stderr: string };
		return { code, out: stdout, error: stderr };
	}
}
