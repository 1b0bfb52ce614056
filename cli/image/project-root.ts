// Where the project's own folders are: the CLI works from any directory. Asked by the image builders.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

export const PROJECT_ROOT = folderWithPackage(import.meta.dirname);
/** What is built and may be deleted at any time. */
export const BUILD_ROOT = join(PROJECT_ROOT, "build");

// Upwards: this file runs where it lies, and bundled into a program in build/programs/.
function folderWithPackage(folder: string): string {
	if (existsSync(join(folder, "package.json"))) return folder;
	const above = dirname(folder);
	if (above === folder)
		throw new Error("package.json of xs-fota is not above this program: run it from its folder");
	return folderWithPackage(above);
}
