// A throw-away simulated device for the tests of the simulator itself: JavaScript modules become an image in a small
// flash, which xs-fota-sim runs. Called by the tests beside it. It knows nothing of the firmware under src/.
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildEspImage } from "../../cli/image/esp-image-builder.js";
import { simulatorPath } from "../../cli/image/firmware-build.js";
import { smallPartitions } from "../../cli/image/flash-image.js";
import { encodePartitionTable, TABLE_OFFSET } from "../../cli/image/partition-table.js";
import type { Chip } from "../../src/protocol/release-statement.js";

const SLOT_BYTES = 0x40000;
export const SIMULATOR = simulatorPath("asan");

export interface DeviceRun {
	readonly code: number;
	/** The serial line, whole. */
	readonly serial: string;
	/** Standard error of the simulator. */
	readonly said: string;
	// biome-ignore lint/suspicious/noExplicitAny: the statistics are described in docs/simulator.md
	readonly stats: any;
}

export interface DeviceOptions {
	/** Default esp32. */
	readonly chip?: Chip;
	/** The optimised simulator is for tests of hundreds of runs. Default asan. */
	readonly variant?: "release" | "asan";
}

/** A flash file with these modules in ota_0; close() removes it. */
export class Device {
	readonly folder = mkdtempSync(join(tmpdir(), "xs-fota-sim-"));
	readonly flash = join(this.folder, "flash.bin");
	readonly #chip: Chip;
	readonly #simulator: string;

	/** `modules`: specifier to source. The entry is "main". */
	constructor(modules: Readonly<Record<string, string>>, options: DeviceOptions = {}) {
		const { chip = "esp32", variant = "asan" } = options;
		this.#chip = chip;
		this.#simulator = simulatorPath(variant);
		const payload = this.compile(modules);
		const flash = new Uint8Array(0x20000 + 2 * SLOT_BYTES).fill(0xff);
		flash.set(encodePartitionTable(smallPartitions(SLOT_BYTES)), TABLE_OFFSET);
		flash.set(this.image(payload), 0x20000);
		writeFileSync(this.flash, flash);
	}

	compile(modules: Readonly<Record<string, string>>): Uint8Array {
		const pairs = Object.entries(modules).map(([specifier, source], index) => {
			const path = join(this.folder, `module-${index}.js`);
			writeFileSync(path, source);
			return `${specifier}=${path}`;
		});
		const output = join(this.folder, "payload.xsfa");
		execFileSync(this.#simulator, ["compile", "--output", output, "--entry", "main", ...pairs]);
		return readFileSync(output);
	}

	image(payload: Uint8Array): Uint8Array {
		return buildEspImage({ chip: this.#chip, version: "1.0.0", projectName: "test", payload });
	}

	run(...options: readonly string[]): Promise<DeviceRun> {
		const stats = join(this.folder, "stats.json");
		const args = [
			"run",
			"--flash",
			this.flash,
			"--chip",
			this.#chip,
			"--stats",
			stats,
			"--seed",
			"1",
			...options,
		];
		return new Promise((resolve) => {
			execFile(this.#simulator, args, { timeout: 230_000 }, (error, serial, said) => {
				const code = error ? Number(error.code ?? -1) : 0;
				resolve({ code, serial, said, stats: readStats(stats) });
			});
		});
	}

	close(): void {
		rmSync(this.folder, { recursive: true, force: true });
	}
}

function readStats(path: string): unknown {
	try {
		return JSON.parse(readFileSync(path, "utf8"));
	} catch {
		return undefined; // the run ended before it wrote any
	}
}

/** One device, one run, nothing left behind. */
export async function runModules(
	modules: Readonly<Record<string, string>>,
	...options: readonly string[]
): Promise<DeviceRun> {
	const device = new Device(modules);
	try {
		return await device.run(...options);
	} finally {
		device.close();
	}
}
