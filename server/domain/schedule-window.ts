// When a device may begin an update, in its own local time: a clock in the device's time zone is asked (Intl), so
// summer time is right by itself. An hour that the clock skips has no window, one that it repeats has it twice. Pure.
import { FotaError } from "../../src/protocol/error-codes.js";

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof DAYS)[number];

export interface ScheduleWindow {
	/** `HH:MM`, included. */
	readonly from: string;
	/** `HH:MM`, not included. At or before `from`: on the day after. */
	readonly to: string;
	/** On which the window begins. */
	readonly days: readonly Day[];
}

interface LocalTime {
	readonly day: number;
	readonly minutes: number;
}

/** Formatters cost much to make; there are as many as time zones in use. */
const clocks = new Map<string, Intl.DateTimeFormat>();

/** Throws `request-malformed` for a zone that this system does not know. */
export function checkTimeZone(timeZone: string): void {
	try {
		clockOf(timeZone);
	} catch (cause) {
		if (!(cause instanceof RangeError)) throw cause;
		throw new FotaError("request-malformed", "time_zone is no IANA time zone", { cause });
	}
}

export function isWindowOpen(window: ScheduleWindow, timeZone: string, nowMs: number): boolean {
	const { day, minutes } = localTimeOf(timeZone, nowMs);
	const from = minutesOf(window.from);
	const to = minutesOf(window.to);
	const isOn = (index: number) => window.days.some((name) => name === DAYS[(index + 7) % 7]);
	if (from < to) return isOn(day) && minutes >= from && minutes < to;
	return (isOn(day) && minutes >= from) || (isOn(day - 1) && minutes < to);
}

function minutesOf(text: string): number {
	return Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
}

function localTimeOf(timeZone: string, nowMs: number): LocalTime {
	const parts = new Map(
		clockOf(timeZone)
			.formatToParts(nowMs)
			.map(({ type, value }) => [type, value]),
	);
	const day = (DAYS as readonly string[]).indexOf(parts.get("weekday")?.toLowerCase() ?? "");
	return { day, minutes: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
	const known = clocks.get(timeZone);
	if (known !== undefined) return known;
	const clock = new Intl.DateTimeFormat("en-US", {
		timeZone,
		weekday: "short",
		hour: "2-digit",
		minute: "2-digit",
		hourCycle: "h23",
	});
	clocks.set(timeZone, clock);
	return clock;
}
