// Programs of others: where they are on a PATH, and what they say. Called by the checks and by whoever starts one. It must not
// know what they are for.
import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const TOOL_TIMEOUT_MS = 60_000;

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a tool prints, or undefined when it is missing or fails. */
export async function toolOutput(
	program: string,
	args: readonly string[],
	env: Environment,
): Promise<string | undefined> {
	const result = await run(program, args, { env, timeout: TOOL_TIMEOUT_MS }).catch(() => undefined);
	return result?.stdout.trim();
}

/** Path of a program, or undefined. */
export async function findProgram(name: string, path: string | undefined): Promise<string | undefined> {
	for (const folder of (path ?? "").split(delimiter)) {
		const candidate = join(folder, name);
		if (folder !== "" && (await isProgram(candidate))) return candidate;
	}
	return undefined;
}

export async function isProgram(path: string): Promise<boolean> {
	return access(path, constants.X_OK).then(
		() => true,
		() => false,
	);
}
