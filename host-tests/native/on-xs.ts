// Runs a contract on XS in the simulator: one device, every case on a fresh flash, every step after a real restart. Called
// by contracts.test.ts and cloud-contract.test.ts. It must not know what the cases do.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Contract } from "../contracts/contract.js";
import { ModuleDevice, makeFlash, PARTITIONS } from "./xs-device.js";

export interface XsContract {
	/** For the number and the titles of the cases. */
	readonly contract: Contract<never>;
	/** The module of the contract under host-tests/contracts/, and its export's name. */
	readonly module: string;
	readonly name: string;
	/** Modules that `open` imports: paths from the project's root, without extension. */
	readonly imports: readonly string[];
	/** JavaScript: imports, and `function open()`, which returns the subject of the contract. Taken before the first case. */
	readonly open: () => string;
	/** Further options of the simulator. */
	readonly simulatorOptions?: readonly string[];
	/** Looks at the serial line of each case, whole; throws for what must not be there. */
	readonly checkSerial?: (serial: string) => void;
}

/** Which case runs is the first byte of a data partition; each step begun clears one byte behind it. */
const MARKS = "fota_id";
/** How a result begins on the serial line. */
const RESULT = "| ";
const FLASH_MODULE = "src/native/fota-flash";

function sourceOf({ module, name, open }: XsContract): string {
	return `
		import { FotaFlash } from "${FLASH_MODULE}";
		import { ${name} as contract } from "host-tests/contracts/${module}";
		${open()}
		export default async function (print, system) {
			const flash = new FotaFlash();
			const marks = new Uint8Array(16);
			flash.dataRead("${MARKS}", 0, marks, 0, marks.length);
			const { steps } = contract[marks[0]];
			const step = marks.slice(1).indexOf(0xff);
			flash.dataWrite("${MARKS}", 1 + step, Uint8Array.of(0), 0, 1);
			try { await steps[step](open()); }
			catch (error) { print("step " + (step + 1) + ": " + error.message); return; }
			if (step + 1 < steps.length) system.restart();
			print("passed");
		}`;
}

export function describeOnXs(title: string, options: XsContract): void {
	describe(title, () => {
		let device: ModuleDevice;
		beforeAll(() => {
			const modules = [FLASH_MODULE, `host-tests/contracts/${options.module}`, ...options.imports];
			device = new ModuleDevice(sourceOf(options), modules);
		});
		afterAll(() => device.close());

		it.each(options.contract.map((item, index) => [item.title, index] as const))(
			"%s",
			async (_title, index) => {
				const flash = makeFlash({ ota_0: device.image });
				flash[offsetOf(MARKS)] = index;
				device.flash = flash;
				const { lines, serial } = await device.run("--until", RESULT, ...(options.simulatorOptions ?? []));
				expect(lines, serial).toEqual(["passed"]);
				options.checkSerial?.(serial);
			},
		);
	});
}

function offsetOf(label: string): number {
	const partition = PARTITIONS.find((item) => item.label === label);
	if (partition === undefined) throw new Error(`no partition ${label}`);
	return partition.offsetBytes;
}
