// A simulated device that runs one small JavaScript module on XS, with src/native beside it. Called by the tests of
// src/native and of the bootloader. The module's default export is called with `print`; if it gives a promise, that is waited for.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, posix } from "node:path";
import ts from "typescript";
import { readSlotImage } from "../../cli/image/boot-records.js";
import { smallPartitions } from "../../cli/image/flash-image.js";
import type { Partition } from "../../cli/image/partition-table.js";
import { encodePartitionTable, TABLE_OFFSET } from "../../cli/image/partition-table.js";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { Device, type DeviceOptions } from "../simulator/device.js";

const NATIVE_FOLDER = join(PROJECT_ROOT, "src", "native");
const FLASH_BYTES = 0x100000;
const END_MARK = "(end of the module)";

export const PARTITIONS: readonly Partition[] = smallPartitions(0x40000);

const MAIN = `
import { FotaSystem } from "native/fota-system";
import test from "test";
export default function () {
	const system = new FotaSystem();
	const print = (value) => system.print("| " + (typeof value === "string" ? value : JSON.stringify(value)));
	const end = () => system.print("${END_MARK}");
	const fail = (error) => print("threw " + error.name + ": " + error.message);
	let result;
	try { result = test(print, system); } catch (error) { fail(error); }
	if (result instanceof Promise) result.catch(fail).then(end);
	else end();
}
`;

function modulesWith(source: string, more: readonly string[]): Record<string, string> {
	const modules: Record<string, string> = { main: MAIN, test: source };
	for (const name of readdirSync(NATIVE_FOLDER)) {
		if (!/^fota-.*\.ts$/.test(name)) continue;
		modules[`native/${basename(name, ".ts")}`] = transpile(join(NATIVE_FOLDER, name));
	}
	for (const name of more) addModule(modules, name);
	return modules;
}

function transpile(path: string): string {
	const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
	return ts.transpileModule(readFileSync(path, "utf8"), { compilerOptions }).outputText;
}

/** With all that it imports by relative paths; what is imported for its types alone is gone by then. */
function addModule(modules: Record<string, string>, name: string): void {
	if (modules[name] !== undefined) return;
	const text = transpile(join(PROJECT_ROOT, `${name}.ts`));
	modules[name] = text;
	for (const { fileName } of ts.preProcessFile(text).importedFiles)
		if (fileName.startsWith("."))
			addModule(modules, posix.join(posix.dirname(name), fileName.replace(/\.js$/, "")));
}

export interface ModuleRun {
	/** What the module printed, over all boots. */
	readonly lines: readonly string[];
	readonly serial: string;
	readonly code: number;
	// biome-ignore lint/suspicious/noExplicitAny: the statistics are described in docs/simulator.md
	readonly stats: any;
}

/** One device and its flash file; close() removes it. */
export class ModuleDevice {
	/** The image that runs the module: in ota_0 of a fresh device. */
	readonly image: Uint8Array;
	readonly #device: Device;

	/** `modules`: paths from the project's root, without extension, under which the source may import them. */
	constructor(source: string, modules: readonly string[] = [], variant: DeviceOptions["variant"] = "asan") {
		this.#device = new Device(modulesWith(source, modules), { variant });
		const image = readSlotImage(this.flash, "ota_0");
		if (!image) throw new Error("the device was made without an image");
		this.image = Uint8Array.from(image); // not a Buffer, whose slice() is no copy
		this.flash = makeFlash({ ota_0: image });
	}

	get flash(): Uint8Array {
		return readFileSync(this.#device.flash);
	}

	set flash(bytes: Uint8Array) {
		writeFileSync(this.#device.flash, bytes);
	}

	/** Powers it up; without options until the module has ended once. */
	async run(...options: readonly string[]): Promise<ModuleRun> {
		const ending = options.length === 0 ? ["--until", END_MARK] : options;
		const { serial, code, said, stats } = await this.#device.run(
			"--fast",
			"--max-wall-seconds",
			"200",
			...ending,
		);
		if (code === 1 || code === 70 || code < 0) throw new Error(`exit ${code}\n${serial}\n${said}`);
		const lines = serial
			.split("\n")
			.filter((line) => line.startsWith("| "))
			.map((line) => line.slice(2).trimEnd());
		return { lines, serial, code, stats };
	}

	close(): void {
		this.#device.close();
	}
}

/** A flash with these images, by partition label, and nothing else. */
export function makeFlash(images: Readonly<Record<string, Uint8Array>>, partitions = PARTITIONS): Uint8Array {
	const flash = new Uint8Array(FLASH_BYTES).fill(0xff);
	flash.set(encodePartitionTable(partitions), TABLE_OFFSET);
	for (const { label, offsetBytes } of partitions) flash.set(images[label] ?? [], offsetBytes);
	return flash;
}

/** Runs `source` on a fresh device until it ends and returns what it printed. */
export async function runModule(source: string): Promise<readonly string[]> {
	const device = new ModuleDevice(source);
	try {
		return (await device.run()).lines;
	} finally {
		device.close();
	}
}
