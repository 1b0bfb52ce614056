// Cuts and faults at every operation, on fakes: what the sweep on the real engine finds later and slower.
import { describe, expect, it } from "vitest";
import { parseState } from "../../src/update/persistent-state.js";
import { FakeDevice } from "../fakes/fake-device.js";
import { fakeRelease } from "../fakes/fake-image.js";
import type { CutMode } from "../fakes/power.js";
import { seededRandom } from "../fakes/seeded-random.js";

const HOUR_MS = 3_600_000;
const MODES: readonly CutMode[] = ["before", "half", "scattered", "after"];
/** Four extensions of the erase plan, a tail that is no whole sector. */
const SIZE_BYTES = 13 * 16_384 + 2 * 4096 + 16;

interface Scenario {
	readonly chunkBytes: number;
	readonly isCrashing?: boolean;
}

function newDevice(scenario: Scenario): FakeDevice {
	const device = new FakeDevice();
	device.settings = { ...device.settings, chunkBytes: scenario.chunkBytes };
	device.server.release = fakeRelease({ version: "1.1.0", sizeBytes: SIZE_BYTES, securityVersion: 2 });
	device.server.pieceBytes = 40_000;
	device.settings = { ...device.settings, reportSeconds: 60 };
	if (scenario.isCrashing) device.behaviours = { "1.1.0": { crashesAtMs: 5000 } };
	return device;
}

function outcome(device: FakeDevice, scenario: Scenario): string {
	const wanted = scenario.isCrashing ? "1.0.0" : "1.1.0";
	const isDone = () => device.isSettledOn(wanted) && (wanted === "1.1.0" || isOver(device));
	const isSettled = device.run(12 * HOUR_MS, isDone);
	if (device.isBricked) return "brick";
	if (!isSettled)
		return `stuck in ${device.updater?.state} on ${device.version}: ${device.log.slice(-8).join(" | ")}`;
	if (device.slots.violations.length > 0) return device.slots.violations.join(", ");
	// The books must know what runs: otherwise a downgrade or a second installation would pass.
	const { securityVersion, badReleases } = parseState(device.storedText);
	if (!scenario.isCrashing && securityVersion !== 2) return `security version ${securityVersion}`;
	if (scenario.isCrashing && badReleases.length !== 1) return "the bad release is not remembered";
	return "fine";
}

function isOver(device: FakeDevice): boolean {
	return device.server.reports.some((report) => report.isRolledBack);
}

function operationCount(scenario: Scenario): number {
	const device = newDevice(scenario);
	expect(outcome(device, scenario)).toBe("fine");
	return device.power.count;
}

/** Chunks sent more often than once, counted as often as they were. */
function refetched(device: FakeDevice): number {
	let count = 0;
	for (const times of device.server.sentChunks.values()) count += times - 1;
	return count;
}

describe.each<Scenario>([
	{ chunkBytes: 1024 },
	{ chunkBytes: 4096 },
	{ chunkBytes: 16_384 },
	{ chunkBytes: 32_768 },
	{ chunkBytes: 16_384, isCrashing: true },
])("a power cut at every operation of an update (%o)", (scenario) => {
	it.each(MODES)("%s it ends well and fetches at most one chunk again", (mode) => {
		const count = operationCount(scenario);
		const bad: string[] = [];
		// 1 KiB chunks: up to four share the sector that is taken as torn.
		const allowed = scenario.chunkBytes === 1024 ? 4 : 1;
		const stride = scenario.chunkBytes === 1024 ? 3 : 1;
		for (let at = 1; at <= count; at += stride) {
			const device = newDevice(scenario);
			device.power.cuts = [{ at, mode }];
			const result = outcome(device, scenario);
			if (result !== "fine") bad.push(`${mode} ${at}: ${result}`);
			else if (refetched(device) > allowed) bad.push(`${mode} ${at}: ${refetched(device)} fetched again`);
		}
		expect(bad).toEqual([]);
	});
});

describe("two power cuts in a row", () => {
	it.each(["half", "scattered"] as const)("end well at every pair of operations, %s and any", (first) => {
		const scenario = { chunkBytes: 16_384 };
		const count = operationCount(scenario);
		const bad: string[] = [];
		for (let at = 1; at <= count; at++)
			for (const gap of [1, 2])
				for (const mode of MODES) {
					const device = newDevice(scenario);
					device.power.cuts = [
						{ at, mode: first },
						{ at: at + gap, mode },
					];
					const result = outcome(device, scenario);
					if (result !== "fine") bad.push(`${first} ${at}, ${mode} ${at + gap}: ${result}`);
					else if (refetched(device) > 2) bad.push(`${at} ${gap} ${mode}: ${refetched(device)} again`);
				}
		expect(bad).toEqual([]);
	});
});

describe("power cuts at random", () => {
	it("three in one update end well (the message names seed and cuts)", () => {
		const scenario = { chunkBytes: 4096 };
		const count = operationCount(scenario);
		const bad: string[] = [];
		for (let seed = 1; seed <= 60; seed++) {
			const { below } = seededRandom(seed);
			const device = newDevice(scenario);
			device.power.cuts = [0, 1, 2].map(() => ({
				at: 1 + below(count + 10),
				mode: MODES[below(MODES.length)] ?? "half",
			}));
			device.power.seed = seed;
			const result = outcome(device, scenario);
			if (result !== "fine") bad.push(`seed ${seed}, ${JSON.stringify(device.power.cuts)}: ${result}`);
			else if (refetched(device) > 3) bad.push(`seed ${seed}: ${refetched(device)} fetched again`);
		}
		expect(bad).toEqual([]);
	});
});

describe("a power cut at every operation of an operator's rollback", () => {
	function ordered(): FakeDevice {
		const device = newDevice({ chunkBytes: 32_768 });
		expect(outcome(device, { chunkBytes: 32_768 })).toBe("fine");
		device.power.count = 0;
		device.server.order = { orderId: 9, reason: "m" };
		return device;
	}

	it.each(MODES)("%s it ends on the former firmware, told to the server", (mode) => {
		const whole = ordered();
		const isOver = (device: FakeDevice) => {
			const isTold = device.server.reports.some((item) => item.isRolledBack && item.rollbackOrderId === 9);
			return isTold && device.isSettledOn("1.0.0");
		};
		expect(whole.run(12 * HOUR_MS, () => isOver(whole))).toBe(true);
		const bad: string[] = [];
		for (let at = 1; at <= whole.power.count; at++) {
			const device = ordered();
			device.power.cuts = [{ at, mode }];
			if (!device.run(12 * HOUR_MS, () => isOver(device)) || device.isBricked)
				bad.push(`${mode} ${at}: ${device.log.slice(-5).join(" | ")}`);
			device.run(3 * HOUR_MS);
			if (device.version !== "1.0.0") bad.push(`${mode} ${at}: installed again`);
		}
		expect(bad).toEqual([]);
	});
});

describe("an operation that fails", () => {
	it("once, at any place, is got over", () => {
		const scenario = { chunkBytes: 16_384 };
		const count = operationCount(scenario);
		const bad: string[] = [];
		for (let at = 1; at <= count; at++) {
			const device = newDevice(scenario);
			device.power.isFaulty = (number) => number === at;
			const result = outcome(device, scenario);
			if (result !== "fine") bad.push(`${at} ${device.power.operations[at - 1]}: ${result}`);
		}
		expect(bad).toEqual([]);
	});

	it("from some place on for ever, leaves a firmware running that goes on trying", () => {
		const scenario = { chunkBytes: 16_384 };
		const count = operationCount(scenario);
		for (let at = 1; at <= count; at += 3) {
			const device = newDevice(scenario);
			device.power.isFaulty = (number) => number >= at;
			device.run(6 * HOUR_MS);
			expect(device.isBricked).toBe(false);
			expect(device.slots.violations).toEqual([]);
			expect(device.starts.length).toBeLessThan(40);
		}
	});
});
