// Whether the project's own partition table and ESP-IDF settings are such that a device can update itself and come back.
// Called by `fota doctor`, and by `fota firmware` before it builds. It must not know the tools.
import { readFile } from "node:fs/promises";
import { IDENTITY_PARTITION, IDENTITY_SECTORS } from "../../src/protocol/identity.js";
import { SECTOR_BYTES } from "../../src/protocol/limits.js";
import { type Partition, parsePartitionsCsv } from "../image/partition-table.js";
import type { BuildTarget } from "./build-target.js";
import { type Check, failed, passed } from "./check.js";

const MIB = 1024 * 1024;
const OTADATA_BYTES = 2 * SECTOR_BYTES;

export async function checkProject(target: BuildTarget): Promise<readonly Check[]> {
	const [partitions, sdkconfig] = await Promise.all([
		readFile(target.partitionsPath, "utf8").catch(() => undefined),
		readFile(target.sdkconfigPath, "utf8").catch(() => undefined),
	]);
	const settings = parseSettings(sdkconfig ?? "");
	return [
		checkTable(partitions, { path: target.partitionsPath, flashBytes: flashBytesOf(settings) }),
		...checkSettings(settings, { path: target.sdkconfigPath, isThere: sdkconfig !== undefined }),
	];
}

/** Name to value; as mcconfig, which passes over lines that begin with #. */
export function parseSettings(text: string): ReadonlyMap<string, string> {
	const lines = text.split("\n").filter((line) => !line.startsWith("#") && line.includes("="));
	return new Map(
		lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()]),
	);
}

/** The SDK's base says 4 MB; a larger one is chosen by a setting of the project. */
function flashBytesOf(settings: ReadonlyMap<string, string>): number {
	for (const [name, value] of settings) {
		const size = /^CONFIG_ESPTOOLPY_FLASHSIZE_([0-9]+)MB$/.exec(name)?.[1];
		if (size !== undefined && value === "y") return Number(size) * MIB;
	}
	return 4 * MIB;
}

function checkTable(
	text: string | undefined,
	file: { readonly path: string; readonly flashBytes: number },
): Check {
	const title = "partition table";
	if (text === undefined)
		return failed(title, `${file.path} is missing`, "Take it from the project's repository.");
	try {
		const partitions = parsePartitionsCsv(text);
		const problem = tableProblem(partitions, file.flashBytes);
		if (problem !== undefined) return failed(title, problem, `Change ${file.path}.`);
		const slot = `${Math.round(smallestSlotBytes(partitions) / 1024)} KiB`;
		return passed(title, `slots of ${slot}, flash of ${file.flashBytes / MIB} MB`);
	} catch (error) {
		// The parser's errors name line and cause: offsets, alignment, overlaps.
		return failed(title, (error as Error).message, `Change ${file.path}.`);
	}
}

function tableProblem(partitions: readonly Partition[], flashBytes: number): string | undefined {
	const end = Math.max(0, ...partitions.map(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes));
	if (end > flashBytes) return `it ends at ${end / MIB} MB, the flash at ${flashBytes / MIB} MB`;
	const slots = otaSlots(partitions);
	if (slots.length !== 2) return `${slots.length} update slots instead of ota_0 and ota_1`;
	if (slots[0]?.sizeBytes !== slots[1]?.sizeBytes) return "the two update slots are not equal";
	const otadata = partitions.find(({ type, subtype }) => type === 1 && subtype === 0);
	if (otadata?.sizeBytes !== OTADATA_BYTES) return "no otadata of 0x2000 bytes, so no boot records";
	const identity = partitions.find(({ label }) => label === IDENTITY_PARTITION);
	if (identity?.sizeBytes !== IDENTITY_SECTORS * SECTOR_BYTES)
		return `no ${IDENTITY_PARTITION} of ${IDENTITY_SECTORS} sectors for the device's identity`;
	return undefined;
}

export function otaSlots(partitions: readonly Partition[]): readonly Partition[] {
	return partitions.filter(({ type, subtype }) => type === 0 && subtype >= 0x10 && subtype < 0x20);
}

/** The most an image may have that a device installs by itself. */
export function smallestSlotBytes(partitions: readonly Partition[]): number {
	return Math.min(...otaSlots(partitions).map(({ sizeBytes }) => sizeBytes));
}

export interface Wanted {
	readonly title: string;
	readonly name: string;
	readonly value: string;
	readonly found: string;
}

/** Without them a device does not come back from a bad firmware. */
export const WANTED: readonly Wanted[] = [
	// Threat: a firmware that crashes at boot would be started for ever.
	{
		title: "rollback",
		name: "CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE",
		value: "y",
		found: "in the bootloader",
	},
	// Threat: an image damaged in flash would be started unchecked.
	{
		title: "image check at boot",
		name: "CONFIG_BOOTLOADER_SKIP_VALIDATE_ALWAYS",
		value: "n",
		found: "always",
	},
	{ title: "watchdog", name: "CONFIG_ESP_TASK_WDT_EN", value: "y", found: "on" },
	{ title: "watchdog's end", name: "CONFIG_ESP_TASK_WDT_PANIC", value: "y", found: "a restart" },
	{
		title: "version in the image",
		name: "CONFIG_APP_PROJECT_VER_FROM_CONFIG",
		value: "y",
		found: "from the settings",
	},
];

function checkSettings(
	settings: ReadonlyMap<string, string>,
	file: { readonly path: string; readonly isThere: boolean },
): readonly Check[] {
	if (!file.isThere)
		return [failed("settings", `${file.path} is missing`, "Take it from the project's repository.")];
	const checks = WANTED.map(({ title, name, value, found }) => {
		const is = settings.get(name);
		if (is === value) return passed(title, found);
		return failed(title, `${name} is ${is ?? "not set"}`, `Write ${name}=${value} into ${file.path}.`);
	});
	const hasLine = settings.has(VERSION_SETTING);
	const version = hasLine
		? passed("version line", settings.get(VERSION_SETTING) ?? "")
		: failed("version line", "there is none", `Write ${VERSION_SETTING}="0.0.0" into ${file.path}.`);
	return [...checks, version];
}

/** `fota firmware` gives it the version that is built. */
export const VERSION_SETTING = "CONFIG_APP_PROJECT_VER";
