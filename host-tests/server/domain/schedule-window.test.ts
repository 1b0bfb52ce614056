// Windows in the local time of a device, over midnight and over the days on which the clock is changed.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	checkTimeZone,
	DAYS,
	isWindowOpen,
	type ScheduleWindow,
} from "../../../server/domain/schedule-window.js";

const HOUR_MS = 3_600_000;
const BERLIN = "Europe/Berlin";
const everyDay = (from: string, to: string): ScheduleWindow => ({ from, to, days: DAYS });
const isOpenAt = (window: ScheduleWindow, zone: string, time: string) =>
	isWindowOpen(window, zone, Date.parse(time));

describe("a schedule window", () => {
	it.each([
		["2026-01-14T00:59:59Z", false],
		["2026-01-14T01:00:00Z", true],
		["2026-01-14T03:59:59Z", true],
		["2026-01-14T04:00:00Z", false],
	])("from 2 to 5 in Berlin is in winter open at %s: %s", (time, expected) => {
		expect(isOpenAt(everyDay("02:00", "05:00"), BERLIN, time)).toBe(expected);
	});

	it.each([
		["2026-01-16T22:30:00Z", true],
		["2026-01-17T03:59:00Z", true],
		["2026-01-17T05:00:00Z", false],
		["2026-01-17T23:00:00Z", false],
		["2026-01-18T03:00:00Z", false],
	])("over midnight belongs to the day on which it begins: a Friday's at %s: %s", (time, expected) => {
		expect(isOpenAt({ from: "22:00", to: "05:00", days: ["fri"] }, "UTC", time)).toBe(expected);
	});

	it("is the device's own: where it is night for one it is day for the other", () => {
		const night = everyDay("01:00", "05:00");
		expect(isOpenAt(night, "Asia/Tokyo", "2026-06-01T18:00:00Z")).toBe(true);
		expect(isOpenAt(night, "America/Chicago", "2026-06-01T18:00:00Z")).toBe(false);
		expect(isOpenAt(night, "Asia/Kathmandu", "2026-06-01T19:15:00Z")).toBe(true);
		expect(isOpenAt(night, "Asia/Kathmandu", "2026-06-01T19:14:00Z")).toBe(false);
	});

	it("does not come on the day on which the clock skips it, and lasts twice as long where it is repeated", () => {
		const openHours = (day: string) => {
			const startMs = Date.parse(`${day}T00:00:00+01:00`) - 2 * HOUR_MS;
			const minutes = Array.from({ length: 28 * 60 }, (_, index) => startMs + index * 60_000);
			const window: ScheduleWindow = { from: "02:00", to: "03:00", days: ["sun"] };
			return minutes.filter((timeMs) => isWindowOpen(window, BERLIN, timeMs)).length / 60;
		};
		expect(openHours("2026-03-22")).toBe(1);
		expect(openHours("2026-03-29")).toBe(0);
		expect(openHours("2026-10-25")).toBe(2);
	});

	it("is open exactly when the wall clock of the place says so, on any day and in any zone", () => {
		const time = fc.integer({ min: Date.parse("2020-01-01"), max: Date.parse("2035-01-01") });
		const clock = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }));
		const zone = fc.constantFrom("UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Pacific/Apia");
		const textOf = ([hour, minute]: readonly [number, number]) =>
			`${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`;
		fc.assert(
			fc.property(time, clock, clock, zone, (nowMs, start, end, timeZone) => {
				const [from, to] = [textOf(start), textOf(end)];
				fc.pre(from !== to);
				// Another way to the wall clock than the code's own.
				const wall = new Date(nowMs).toLocaleTimeString("de-DE", { timeZone, hour12: false }).slice(0, 5);
				const isIn = from < to ? wall >= from && wall < to : wall >= from || wall < to;
				expect(isWindowOpen(everyDay(from, to), timeZone, nowMs)).toBe(isIn);
			}),
			{ numRuns: 500 },
		);
	});

	it("wants a time zone that there is", () => {
		expect(() => checkTimeZone("Europe/Berlin")).not.toThrow();
		expect(() => checkTimeZone("Europe/Atlantis")).toThrow(/time zone/);
	});
});
