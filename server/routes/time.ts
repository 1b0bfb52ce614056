// Times as operators write and read them: ISO 8601. In the database they are Unix milliseconds.
import { Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";

/** Of a query or a body. */
export const TimeSchema = Type.String({
	pattern: "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,3})?(Z|[+-]\\d{2}:\\d{2})$",
	description: "ISO 8601 with zone, such as 2026-01-31T12:00:00Z",
});

/** Of an answer. */
export const TimeAnswer = Type.String({ format: "date-time" });

export function timeOf(timeMs: number): string;
export function timeOf(timeMs: number | null): string | null;
export function timeOf(timeMs: number | null): string | null {
	return timeMs === null ? null : new Date(timeMs).toISOString();
}

/** Throws `request-malformed` for a day that is in no calendar. */
export function timeMsOf(text: string): number;
export function timeMsOf(text: string | undefined): number | undefined;
export function timeMsOf(text: string | undefined): number | undefined {
	if (text === undefined) return undefined;
	const timeMs = Date.parse(text);
	if (Number.isNaN(timeMs)) throw new FotaError("request-malformed", "a time is not one of the calendar");
	return timeMs;
}
