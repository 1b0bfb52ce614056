// The small pure parts: waits, the verdict on a trial, messages, progress lines.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainMessage } from "../../src/update/fault.js";
import { judgeTrial } from "../../src/update/health.js";
import { progressLine } from "../../src/update/log-lines.js";
import {
	backoffDelayMs,
	firstPollDelayMs,
	pollDelayMs,
	reportDelayMs,
	reportShedDelayMs,
	shedDelayMs,
	stallDelayMs,
} from "../../src/update/schedule.js";

const LOW = { below: () => 0 };
const HIGH = { below: (bound: number) => bound - 1 };

const SETTINGS = { pollSeconds: 3600, confirmSeconds: 300 };

describe("the waits", () => {
	it("last at least as long as a server that sheds load has asked for, and up to half as long again by chance; five seconds at least", () => {
		expect([shedDelayMs(60, 3600, LOW), shedDelayMs(60, 3600, HIGH)]).toEqual([60_000, 90_000]);
		expect([shedDelayMs(1, 3600, LOW), shedDelayMs(1, 3600, HIGH)]).toEqual([5000, 10_000]);
	});

	it("are no longer for such a word than the poll interval, and an hour, whoever said it", () => {
		expect([shedDelayMs(1e9, 600, LOW), shedDelayMs(1e9, 600, HIGH)]).toEqual([600_000, 900_000]);
		expect(shedDelayMs(1e9, 604_800, LOW)).toBe(3_600_000);
	});

	it("take no more than a quarter of a trial for a report that was shed", () => {
		const pace = (isOnTrial: boolean) => ({ isOnTrial, settings: SETTINGS, random: LOW });
		expect(reportShedDelayMs(pace(true), 1000, 1)).toBe(75_000);
		expect(reportShedDelayMs(pace(true), 10, 100)).toBe(10_000);
		expect(reportShedDelayMs(pace(false), 1000, 1)).toBe(1_000_000);
		// Again and again: as behind any trouble, up to ten minutes.
		expect(reportShedDelayMs(pace(false), 10, 100)).toBe(480_000);
	});

	it("spread a poll by ten percent to either side", () => {
		expect(pollDelayMs(3600, LOW)).toBe(3_240_000);
		expect(pollDelayMs(3600, HIGH)).toBe(3_960_000);
	});

	it("double from five seconds to the poll interval, or a minute where that is longer", () => {
		const middle = { below: (bound: number) => Math.floor(bound / 2) };
		const waits = [1, 2, 3, 4, 5, 20, 1000].map((count) => backoffDelayMs(count, 3600, middle));
		expect(waits).toEqual([5000, 10_000, 20_000, 40_000, 80_000, 3_600_000, 3_600_000]);
		expect(backoffDelayMs(50, 1, middle)).toBe(60_000);
	});

	it("are never negative nor without an end", () => {
		fc.assert(
			fc.property(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 1, max: 604_800 }), (count, poll) => {
				for (const random of [LOW, HIGH]) {
					const cap = Math.max(60_000, poll * 1000) * 1.2;
					for (const wait of [
						backoffDelayMs(count, poll, random),
						stallDelayMs(count, random),
						reportDelayMs({ isOnTrial: true, settings: SETTINGS, random }, count),
						pollDelayMs(poll, random),
						firstPollDelayMs(poll, random),
					]) {
						expect(wait).toBeGreaterThan(0);
						expect(wait).toBeLessThanOrEqual(cap);
					}
					const shed = shedDelayMs(count, poll, random);
					const pauseMs = Math.max(5, Math.min(count, poll, 3600)) * 1000;
					expect(shed).toBeGreaterThanOrEqual(pauseMs);
					expect(shed).toBeLessThanOrEqual(pauseMs + Math.max(5000, pauseMs / 2));
				}
			}),
		);
	});
});

describe("the verdict on a trial", () => {
	const WELL = {
		elapsedMs: 31_000,
		unhealthy: [],
		wellMs: 30_000,
		isReported: true,
		deadlineMs: 300_000,
	};
	const FLAPPING = { ...WELL, elapsedMs: 299_000, unhealthy: ["grid"], wellMs: 0 };
	const AT_DEADLINE = { ...WELL, elapsedMs: 300_000 };

	it.each([
		["confirms after 30 s of health and a report", WELL, "confirm"],
		["waits before 30 s of health", { ...WELL, wellMs: 29_999 }, "wait"],
		["waits while a check flaps, however long it runs", FLAPPING, "wait"],
		["waits when it has just passed again", { ...FLAPPING, unhealthy: [] }, "wait"],
		["waits for a report", { ...WELL, isReported: false }, "wait"],
		["waits for the checks", { ...WELL, unhealthy: ["grid"], wellMs: 0 }, "wait"],
		["gives up at the deadline", { ...AT_DEADLINE, isReported: false }, "give-up"],
		[
			"gives up what is well, but not yet for 30 s, at the deadline",
			{ ...AT_DEADLINE, wellMs: 29_999 },
			"give-up",
		],
		["confirms what is well for 30 s at the deadline", AT_DEADLINE, "confirm"],
		[
			"waits on without a way back",
			{ ...WELL, isReported: false, elapsedMs: 1e9, deadlineMs: undefined },
			"wait",
		],
	])("%s", (_what, facts, verdict) => {
		expect(judgeTrial(facts).verdict).toBe(verdict);
	});

	it.each([
		["is not well for long enough", { wellMs: 29_999 }, "well for 29 s only, not for 30 s"],
		["is not well", { unhealthy: ["grid", "bus"], wellMs: 0 }, "unhealthy: grid, bus"],
		[
			"has nothing to show",
			{ isReported: false, unhealthy: ["grid"], wellMs: 0 },
			"no report was accepted; unhealthy: grid",
		],
	])("says at the deadline what is missing when it %s", (_what, facts, message) => {
		expect(judgeTrial({ ...AT_DEADLINE, ...facts })).toEqual({ verdict: "give-up", message });
	});
});

describe("a message", () => {
	it("is never empty, too long, or with control characters", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
				const plain = plainMessage(text);
				expect(plain.length).toBeGreaterThan(0);
				expect(plain.length).toBeLessThanOrEqual(120);
				expect([...plain].every((character) => isPlain(character.codePointAt(0) ?? 0))).toBe(true);
				expect(plainMessage(plain)).toBe(plain);
			}),
		);
	});
});

describe("the progress line", () => {
	it("comes at each five percent, with amount and rate", () => {
		const lines = [];
		for (let chunk = 1; chunk <= 260; chunk++)
			lines.push(
				progressLine({
					chunk,
					chunkCount: 260,
					chunkBytes: 4096,
					fetchedCount: chunk,
					elapsedMs: chunk * 40,
				}),
			);
		const shown = lines.filter((line) => line !== undefined);
		expect(shown).toHaveLength(20);
		expect(shown[0]).toBe("download 5 % (13 of 260 chunks), 52 KB, 100 KB/s");
		expect(shown[19]).toBe("download 100 % (260 of 260 chunks), 1040 KB, 100 KB/s");
	});
});

function isPlain(code: number): boolean {
	return code >= 0x20 && code !== 0x7f && !(code >= 0xd800 && code <= 0xdfff);
}
