// Builds a firmware for a chip with mcconfig and leaves its parts in a folder, checked. Called by `fota firmware`. It must
// not know the server, nor how parts reach a board.
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CliError } from "../cli-error.js";
import {
	decodePartitions,
	encodePartitionTable,
	type Partition,
	parsePartitionsCsv,
} from "../image/partition-table.js";
import { BUILD_ROOT } from "../image/project-root.js";
import { inspectImage } from "../release/sign-release.js";
import { writeBuildFiles } from "./build-files.js";
import type { BuildTarget } from "./build-target.js";
import { checkGenerated } from "./generated-settings.js";
import { type McconfigOutputs, runMcconfig } from "./mcconfig.js";
import { describeParts, PART_FILES, PARTS_MANIFEST, writePartsManifest } from "./parts-folder.js";
import type { Environment } from "./programs.js";
import { smallestSlotBytes } from "./project-checks.js";
import { buildEnvironment } from "./toolchain.js";

export interface FirmwareBuild {
	readonly target: BuildTarget;
	readonly version: string;
	readonly isDebug: boolean;
	readonly environment: Environment;
	/** For the parts, which take the place of older ones. Default below the project's build/. */
	readonly outFolder?: string | undefined;
	readonly onOutput: (text: Buffer) => void;
}

export interface BuiltFirmware {
	readonly folder: string;
	readonly imagePath: string;
	readonly image: Uint8Array;
	readonly hash: string;
	/** The most an image may have, in bytes. */
	readonly slotBytes: number;
}

/** Throws CliError; the folder then holds no firmware, not even an older one. */
export async function buildChipFirmware(build: FirmwareBuild): Promise<BuiltFirmware> {
	const { target, version, isDebug } = build;
	const moddable = build.environment.MODDABLE;
	if (!moddable) throw new CliError("MODDABLE is not set", { hint: "Run fota doctor." });
	const folder = resolve(build.outFolder ?? join(BUILD_ROOT, "firmware-chip", target.folderName));
	await removeParts(folder);
	await mkdir(folder, { recursive: true });
	const files = await writeBuildFiles(target, {
		folder: join(BUILD_ROOT, "mcconfig", target.folderName),
		version,
	});
	const outputs = await runMcconfig({
		target,
		files,
		isDebug,
		moddable,
		env: buildEnvironment(build.environment),
		logPath: join(folder, "mcconfig.log"),
		onOutput: build.onOutput,
	});
	const partitions = parsePartitionsCsv(await readFile(target.partitionsPath, "utf8"));
	checkTable(outputs.table, { partitions, path: target.partitionsPath });
	checkGenerated(outputs.settings, { version });
	const slotBytes = smallestSlotBytes(partitions);
	const hash = checkImage(outputs.image, { target, version, slotBytes });
	await writeParts(folder, outputs);
	const manifest = describeParts({ name: target.name, version, chip: target.chip, partitions });
	await writePartsManifest(join(folder, PARTS_MANIFEST), manifest);
	await copyFile(target.partitionsPath, join(folder, "partitions.csv"));
	return { folder, imagePath: join(folder, PART_FILES.firmware), image: outputs.image, hash, slotBytes };
}

function checkTable(
	table: Uint8Array,
	wanted: { readonly partitions: readonly Partition[]; readonly path: string },
): void {
	const expected = Buffer.from(encodePartitionTable(wanted.partitions));
	if (!expected.equals(encodePartitionTable(decodedTable(table))))
		throw new CliError(`the partition table that was built is not ${wanted.path}`, {
			hint: "Does another manifest set PARTITIONS_FILE, or defines.ota.autosplit?",
		});
}

function decodedTable(table: Uint8Array): readonly Partition[] {
	try {
		return decodePartitions(table);
	} catch (cause) {
		throw new CliError(`mcconfig's partition-table.bin cannot be read: ${(cause as Error).message}`, {
			cause,
		});
	}
}

function checkImage(
	image: Uint8Array,
	wanted: { readonly target: BuildTarget; readonly version: string; readonly slotBytes: number },
): string {
	const { target, version, slotBytes } = wanted;
	const found = inspectImage(image);
	if (found.chip !== target.chip)
		throw new CliError(
			`the image that was built is for ${found.chip ?? `chip ${found.chipId}`}, not ${target.chip}`,
			{
				hint: "Is the target's ESP32_SUBCLASS set by another manifest?",
			},
		);
	if (found.version !== version)
		throw new CliError(`the image that was built says version "${found.version}", not ${version}`, {
			hint: "Are CONFIG_APP_PROJECT_VER and CONFIG_APP_PROJECT_VER_FROM_CONFIG in the log's sdkconfig?",
		});
	if (image.length > slotBytes)
		throw new CliError(`the image has ${image.length} bytes, an update slot ${slotBytes}`, {
			hint: "No device could install it. Take something out, or use a larger flash.",
		});
	return found.hash;
}

/** Of an earlier build, its statement too; other files of the folder stay. */
async function removeParts(folder: string): Promise<void> {
	const names = [...Object.values(PART_FILES), `${PART_FILES.firmware}.release`, PARTS_MANIFEST];
	await Promise.all(names.map((name) => rm(join(folder, name), { force: true })));
}

async function writeParts(folder: string, outputs: McconfigOutputs): Promise<void> {
	await writeFile(join(folder, PART_FILES.bootloader), outputs.bootloader);
	await writeFile(join(folder, PART_FILES.table), outputs.table);
	await writeFile(join(folder, PART_FILES.otadata), outputs.otadata);
	await writeFile(join(folder, PART_FILES.firmware), outputs.image);
}
