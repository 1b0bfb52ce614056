// How a test starts one of the project's programs as a process of its own: Node itself with tsx inside, from any folder.
// The tsx command would be a second process between the two, which costs a second and stands in the way of signals.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";

const LOADER = pathToFileURL(join(PROJECT_ROOT, "node_modules", "tsx", "dist", "loader.mjs")).href;

/** Program and first arguments; `file` is relative to the project's root. */
export function typescriptCommand(file: string): [program: string, ...args: string[]] {
	return [process.execPath, "--import", LOADER, join(PROJECT_ROOT, file)];
}
