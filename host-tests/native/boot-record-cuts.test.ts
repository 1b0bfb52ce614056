// Power cut at every flash operation between "activate" and "confirmed", and between "activate" and "given up": the
// boot records alone, with both images already in their slots. It starts where the last update failed, with an ABORTED or
// INVALID record of a higher number in the way. A failing run prints the cut and the seed that replay it.
import { afterAll, describe, expect, test } from "vitest";
import { makeRecord, putRecords, readRecord, STATE } from "./boot-record.js";
import { ModuleDevice, makeFlash } from "./xs-device.js";

/** Before an operation is after the one before it. */
const MOMENTS = ["half", "after"] as const;
const HALF_SEEDS = [1, 2, 3];
const PAIRS = 16;

/** What the image in ota_1 does on trial, and what counts as the end. */
function deviceThat(onTrial: string, isOver: string): ModuleDevice {
	// Hundreds of runs: on the optimised simulator.
	return new ModuleDevice(
		`
		import { FotaFlash } from "native/fota-flash";
		export default function (print, system) {
			const flash = new FotaFlash();
			const isNew = 1 === flash.running();
			print([flash.running(), flash.isOnTrial()]);
			if (isNew) { ${onTrial} }
			if (${isOver}) return print("settled " + flash.running());
			flash.prepare(1);
			flash.activate(1);
			system.restart();
		}
	`,
		[],
		"release",
	);
}

function startingFlash({ device, givenUp }: Flow): Uint8Array {
	const flash = makeFlash({ ota_0: device.image, ota_1: device.image });
	putRecords(flash, [
		makeRecord({ sequence: 1, state: STATE.valid }),
		makeRecord({ sequence: 2, state: givenUp }),
	]);
	return flash;
}

interface Flow {
	readonly device: ModuleDevice;
	/** State of the record that the failed update left. */
	readonly givenUp: number;
	readonly settled: string;
	readonly check: (flash: Uint8Array, lines: readonly string[]) => void;
}

async function runCut(flow: Flow, ...options: readonly string[]): Promise<number> {
	flow.device.flash = startingFlash(flow);
	const run = await flow.device.run("--until", flow.settled, "--max-boots", "30", ...options);
	expect(run.code, `${options.join(" ")}\n${run.serial}`).toBe(0);
	expect(run.stats.flash.ruleBreaks, options.join(" ")).toBe(0);
	flow.check(flow.device.flash, run.lines);
	return run.stats.flash.operations;
}

const good: Flow = {
	device: deviceThat("flash.confirm();", "isNew"),
	givenUp: STATE.aborted,
	settled: "settled 1",
	check(flash) {
		expect(readRecord(flash, 1)?.state).toBe(STATE.valid);
	},
};
const bad: Flow = {
	device: deviceThat(
		'if (!flash.isOnTrial()) print("runs without limit"); system.restart();',
		"4 === flash.state(1) && 3 === flash.trialBoots(1)",
	),
	givenUp: STATE.aborted,
	settled: "settled 0",
	check(flash, lines) {
		expect(lines).not.toContain("runs without limit");
		expect(readRecord(flash, 0)?.state).toBe(STATE.valid);
		expect(readRecord(flash, 1)?.state).toBe(STATE.aborted);
	},
};
afterAll(() => {
	good.device.close();
	bad.device.close();
});

describe.each([
	["an image that confirms ends up confirmed", good],
	["an image that crashes ends up given up, on the old one", bad],
	["so it does after one that had given itself up", { ...bad, givenUp: STATE.invalid }],
])("%s", (_title, flow) => {
	test("wherever the power is cut", { timeout: 600_000 }, async () => {
		const operations = await runCut(flow);
		for (let operation = 1; operation <= operations; operation++) {
			for (const moment of MOMENTS) {
				const seeds = moment === "half" ? HALF_SEEDS : [1];
				for (const seed of seeds)
					await runCut(flow, "--cut", `${operation}:${moment}`, "--seed", String(seed));
			}
		}
	});

	test("wherever it is cut twice", { timeout: 600_000 }, async () => {
		const operations = await runCut(flow);
		for (let seed = 1; seed <= PAIRS; seed++) {
			const first = 1 + ((seed * 7) % operations);
			const second = first + 1 + ((seed * 5) % 6);
			const cuts = ["--cut", `${first}:half`, "--cut", `${second}:${MOMENTS[seed % 2]}`];
			await runCut(flow, ...cuts, "--seed", String(seed));
		}
	});
});
