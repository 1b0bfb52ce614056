// Log lines for a person at a terminal instead of JSON: time, level, message, fields. Made by main.ts when standard
// output is a terminal. It must not know what is logged.
import type { DestinationStream } from "pino";

const LEVEL_NAMES: Readonly<Record<number, string>> = {
	10: "TRACE",
	20: "DEBUG",
	30: "INFO",
	40: "WARN",
	50: "ERROR",
	60: "FATAL",
};
/** Shown elsewhere in the line, or of no use to somebody who watches. */
const HIDDEN = new Set(["level", "time", "pid", "hostname", "reqId", "msg", "err"]);

/** Takes pino's lines. */
export function createReadableLog(output: { write(text: string): unknown }): DestinationStream {
	return {
		write(line) {
			output.write(readableLine(JSON.parse(line) as Record<string, unknown>));
		},
	};
}

function readableLine(entry: Record<string, unknown>): string {
	const level = LEVEL_NAMES[Number(entry.level)] ?? String(entry.level);
	const head = `${localTime(Number(entry.time))} ${level.padEnd(5)} ${entry.msg ?? ""}`;
	const fields = Object.entries(entry)
		.filter(([name, value]) => !HIDDEN.has(name) && value !== null)
		.map(([name, value]) => `${name}=${shown(value)}`);
	const lines = [[head, ...fields].join("  "), ...faultLines(entry.err)];
	return lines.map((text) => `${printable(text)}\n`).join("");
}

function localTime(timeMs: number): string {
	// The one locale whose dates are those of ISO 8601.
	return new Date(timeMs).toLocaleString("sv-SE");
}

function shown(value: unknown): string {
	return typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

function faultLines(error: unknown): string[] {
	const { stack = "" } = (error ?? {}) as { readonly stack?: string };
	return stack === "" ? [] : stack.split("\n").map((line) => `    ${line}`);
}

/** Threat: text from outside that moves the terminal's cursor or starts an escape sequence. */
function printable(text: string): string {
	return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
}
