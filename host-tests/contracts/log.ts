// What every Log does, whatever it writes to.
import type { Log, LogLevel } from "../../src/update/ports.js";
import { type Contract, expectEqual } from "./contract.js";

export interface LogSubject {
	readonly log: Log;
	/** What stands on the other side so far, cut at line ends alone. */
	readonly lines: () => readonly string[];
	/** Characters of a text that must be kept; of a longer one little more comes out. */
	readonly textMaxChars: number;
}

const LEVELS: readonly LogLevel[] = ["info", "warn", "error", "security"];
/** Level, time and a mark for what was cut off. */
const FRAME_MAX_CHARS = 60;

/** The one line that a call of write() makes. */
function lineOf({ log, lines }: LogSubject, text: string, level: LogLevel = "info"): string {
	const before = lines().length;
	log.write(level, text);
	const added = lines().slice(before);
	expectEqual(["lines", added.length], ["lines", 1]);
	return added[0] ?? "";
}

/** What moves a terminal's cursor, ends a line somewhere, or turns the direction of writing. */
function isControl(code: number): boolean {
	if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true;
	return (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

const isClean = (line: string) => [...line].every((character) => !isControl(character.codePointAt(0) ?? 0));

export const logContract: Contract<LogSubject> = [
	{
		title: "writes one line a call, at once, in the order of the calls",
		steps: [
			(subject) => {
				const texts = ["first", "second, zu heiß – 太热 😀", "", "third"];
				for (const text of texts) expectEqual(lineOf(subject, text).endsWith(text), true);
				expectEqual(subject.lines().length, texts.length);
			},
		],
	},
	{
		title: "shows the level",
		steps: [
			(subject) => {
				const starts = LEVELS.map((level) => lineOf(subject, "text", level).slice(0, -"text".length));
				const shown = starts.map((start) => start.replace(/[0-9]+/g, ""));
				expectEqual(new Set(shown).size, LEVELS.length);
				expectEqual(
					shown.every((start) => start !== ""),
					true,
				);
			},
		],
	},
	{
		title: "lets no line end in a text make a second line",
		steps: [
			(subject) => {
				for (const end of ["\n", "\r\n", "\r", "\v", "\f", "\u0085", "\u2028", "\u2029", "\u0000"]) {
					const line = lineOf(subject, `before${end}E (1) fota: after`);
					expectEqual(line.includes("before") && line.endsWith("E (1) fota: after"), true);
					expectEqual(isClean(line), true);
				}
			},
		],
	},
	{
		title: "lets no other control character out, nor half a character",
		steps: [
			(subject) => {
				for (let code = 0; code < 0x2100; code++)
					if (isControl(code)) expectEqual(isClean(lineOf(subject, `a${String.fromCharCode(code)}z`)), true);
				const line = lineOf(subject, "a\ud800z\udc00");
				expectEqual(
					[...line].some((one) => (one.codePointAt(0) ?? 0) >= 0xd800 && (one.codePointAt(0) ?? 0) < 0xe000),
					false,
				);
			},
		],
	},
	{
		title: "keeps a text of the length it states, and cuts a longer one",
		steps: [
			(subject) => {
				const { textMaxChars } = subject;
				const whole = "x".repeat(textMaxChars - 1);
				expectEqual(lineOf(subject, `${whole}!`).endsWith(`${whole}!`), true);
				for (const length of [textMaxChars + 1, 5000, 100_000]) {
					const line = lineOf(subject, "y".repeat(length));
					expectEqual(line.includes("y".repeat(textMaxChars)), true);
					expectEqual(line.includes("y".repeat(textMaxChars + 1)), false);
					expectEqual(line.length <= textMaxChars + FRAME_MAX_CHARS, true);
				}
			},
		],
	},
];
