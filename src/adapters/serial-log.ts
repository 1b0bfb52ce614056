// Log on the serial port, in the form of ESP-IDF's own lines: `I (12345) fota: text`, with the time of day where it is
// known: `I (12345) 2026-01-31T12:00:00Z fota: text`. Built by main. It must not know what is logged; texts may come from the network, so nothing in them can end a line or move a terminal's cursor.

import type { FotaSystem } from "../native/fota-system.js";
import type { Clock, Log, LogLevel } from "../update/ports.js";

/** Characters of a text; the rest is cut off and marked. */
export const LOG_TEXT_MAX_CHARS = 240;

const PREFIXES: Readonly<Record<LogLevel, readonly [letter: string, mark: string]>> = {
	info: ["I", ""],
	warn: ["W", ""],
	error: ["E", ""],
	security: ["W", "SECURITY "],
};

export interface SerialLogOptions {
	readonly system: Pick<FotaSystem, "print">;
	readonly clock: Clock;
}

export class SerialLog implements Log {
	readonly #options: SerialLogOptions;
	#unixAtStartMs: number | undefined;

	constructor(options: SerialLogOptions) {
		this.#options = options;
	}

	/** Unix time in milliseconds when the clock was 0; lines show the time of day from now on. */
	setTime(unixAtStartMs: number): void {
		this.#unixAtStartMs = unixAtStartMs;
	}

	write(level: LogLevel, text: string): void {
		const { system, clock } = this.#options;
		const [letter, mark] = PREFIXES[level];
		const nowMs = Math.floor(clock.nowMs());
		system.print(`${letter} (${nowMs}) ${this.#timeOfDay(nowMs)}fota: ${mark}${sanitise(text)}`);
	}

	#timeOfDay(nowMs: number): string {
		if (this.#unixAtStartMs === undefined) return "";
		return `${new Date(this.#unixAtStartMs + nowMs).toISOString().slice(0, 19)}Z `;
	}
}

function sanitise(text: string): string {
	let clean = "";
	let charCount = 0;
	for (const character of text) {
		if (charCount === LOG_TEXT_MAX_CHARS) return `${clean}...`;
		clean += isHarmless(character.codePointAt(0) ?? 0) ? character : "?";
		charCount += 1;
	}
	return clean;
}

// Controls of ASCII and Latin-1, Unicode's own line ends, what turns the direction of writing, and lone surrogates.
function isHarmless(code: number): boolean {
	if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
	if (code >= 0x2028 && code <= 0x202e) return false;
	if (code >= 0x2066 && code <= 0x2069) return false;
	return code < 0xd800 || code > 0xdfff;
}
