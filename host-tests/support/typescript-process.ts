// How a test starts one of the project's programs as a process of its own, from any folder.
import { join } from "node:path";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";

/** Program and first arguments; `file` is relative to the project's root. */
export function typescriptCommand(file: string): [program: string, ...args: string[]] {
	return [process.execPath, join(PROJECT_ROOT, "scripts", "run.mjs"), file];
}
