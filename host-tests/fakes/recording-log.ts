// Log that keeps its lines: as harmless and as short as those on the serial port.

import { LOG_TEXT_MAX_CHARS } from "../../src/adapters/serial-log.js";
import type { Log, LogLevel } from "../../src/update/ports.js";

/** Controls, line ends, direction marks, lone surrogates. */
const HARMFUL = /[\p{Cc}\u2028-\u202e\u2066-\u2069\p{Cs}]/gu;

export class RecordingLog implements Log {
	readonly lines: string[] = [];

	write(level: LogLevel, text: string): void {
		const characters = [...text];
		const kept = characters.slice(0, LOG_TEXT_MAX_CHARS).join("").replace(HARMFUL, "?");
		this.lines.push(`${level}: ${kept}${characters.length > LOG_TEXT_MAX_CHARS ? "..." : ""}`);
	}
}
