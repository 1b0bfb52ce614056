// `fota web-manifest`: one list of parts for several chips, in the form of ESP Web Tools, to flash boards from a web page.
import { dirname, join, relative } from "node:path";
import { Command } from "commander";
import { IDENTITY_PARTITION } from "../../src/protocol/identity.js";
import { CliError } from "../cli-error.js";
import {
	checkFit,
	PARTS_MANIFEST,
	readPartsFolder,
	readPartsManifest,
	type WebManifest,
	writePartsManifest,
} from "../firmware/parts-folder.js";
import { findPartition } from "../image/flash-image.js";
import { printLine } from "../render/text.js";
import type { Shell } from "../shell.js";
import { readFlashFile } from "./files.js";

interface WebManifestOptions {
	readonly parts: readonly string[];
	readonly out: string;
	readonly identity?: string;
}

type Build = WebManifest["builds"][number];

export function webManifestCommand(shell: Shell): Command {
	return new Command("web-manifest")
		.summary("a list of parts for ESP Web Tools")
		.description(
			"Every folder of fota firmware has a manifest.json for its own chip; this makes one for several. Host it " +
				"with the folders as they lie: its paths are relative to it.",
		)
		.requiredOption("--parts <folder...>", "folders of fota firmware, all of one version")
		.requiredOption("--out <file>", "manifest to write, over an old one")
		.option(
			"--identity <file>",
			"identity of ONE device (fota provision --identity-only). It holds that device's secret key: whoever can " +
				"read the page can read it",
		)
		.action((options: WebManifestOptions) => webManifest(options, shell));
}

async function webManifest(options: WebManifestOptions, shell: Shell): Promise<void> {
	const manifests = await Promise.all(options.parts.map((folder) => readPartsManifest(folder)));
	const builds = await Promise.all(options.parts.map((folder) => buildOf(folder, options)));
	const [first] = manifests;
	if (!first || manifests.some(({ version }) => version !== first.version))
		throw new CliError("the folders hold different versions", { hint: "Build them all with one --version." });
	const families = builds.map(({ chipFamily }) => chipFamily);
	if (new Set(families).size < families.length)
		throw new CliError("two folders are for the same chip", { hint: "Give one folder a chip." });
	await writePartsManifest(options.out, { name: first.name, version: first.version, builds });
	printLine(shell.stdout, `manifest for ${families.join(", ")}: ${options.out}`);
}

async function buildOf(folder: string, options: WebManifestOptions): Promise<Build> {
	// Read whole, so that nothing is listed that is missing or does not fit.
	const { parts: contents, partitions } = await readPartsFolder(folder);
	const [build] = (await readPartsManifest(folder)).builds;
	if (!build) throw new CliError(`${join(folder, PARTS_MANIFEST)} lists no build`);
	const here = dirname(options.out);
	const parts = build.parts.map(({ path, offset }) => ({ path: relative(here, join(folder, path)), offset }));
	if (options.identity !== undefined) {
		const offset = findPartition(partitions, IDENTITY_PARTITION).offsetBytes;
		const bytes = await readFlashFile(options.identity);
		checkFit([...contents, { name: "identity", offsetBytes: offset, bytes }], partitions);
		parts.push({ path: relative(here, options.identity), offset });
	}
	return { chipFamily: build.chipFamily, parts: parts.sort((a, b) => a.offset - b.offset) };
}
