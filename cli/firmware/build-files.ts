// What `fota firmware` hands to mcconfig: a manifest that includes the project's own, and a copy of its ESP-IDF settings
// with the version in it. Called by firmware-runner.ts. It must not know how mcconfig is run.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { CliError } from "../cli-error.js";
import type { BuildTarget } from "./build-target.js";
import { VERSION_SETTING } from "./project-checks.js";

export interface BuildFiles {
	/** Folder that mcconfig is started in. */
	readonly folder: string;
	/** Name of the manifest in it. */
	readonly manifest: string;
}

/**
 * mcconfig reads `build` of a manifest before those of what it includes, and the last one wins. So the settings of this
 * build stand in a manifest of their own that is included after the project's.
 */
export async function writeBuildFiles(
	target: BuildTarget,
	options: { readonly folder: string; readonly version: string },
): Promise<BuildFiles> {
	const { folder, version } = options;
	const settings = withVersion(await readFile(target.sdkconfigPath, "utf8"), version);
	if (settings === undefined)
		throw new CliError(`${target.sdkconfigPath} has no line ${VERSION_SETTING}=…`, {
			hint: "Run fota doctor; it says what belongs there.",
		});
	await mkdir(join(folder, "sdkconfig"), { recursive: true });
	await writeChanged(join(folder, "sdkconfig", "sdkconfig.defaults"), settings);
	const project = relative(folder, target.manifestPath);
	await writeJson(join(folder, "build.json"), {
		build: {
			NAME: target.name,
			SDKCONFIGPATH: "./sdkconfig",
			PARTITIONS_FILE: target.partitionsPath,
		},
	});
	await writeJson(join(folder, "manifest.json"), {
		include: [project.startsWith(".") ? project : `./${project}`, "./build.json"],
	});
	return { folder, manifest: "manifest.json" };
}

/** The settings with this version; undefined when there is no line for it. A semantic version needs no quoting. */
export function withVersion(settings: string, version: string): string | undefined {
	const line = new RegExp(`^${VERSION_SETTING}=.*$`, "m");
	return line.test(settings) ? settings.replace(line, `${VERSION_SETTING}="${version}"`) : undefined;
}

async function writeJson(path: string, value: unknown): Promise<void> {
	await writeChanged(path, `${JSON.stringify(value, undefined, "\t")}\n`);
}

// A file that stays as it is keeps its time, so that make need not build everything anew.
async function writeChanged(path: string, text: string): Promise<void> {
	const before = await readFile(path, "utf8").catch(() => undefined);
	if (before !== text) await writeFile(path, text);
}
