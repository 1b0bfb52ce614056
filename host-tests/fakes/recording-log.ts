// Log that keeps its lines.

import type { Log, LogLevel } from "../../src/update/ports.js";

export class RecordingLog implements Log {
	readonly lines: string[] = [];

	write(level: LogLevel, text: string): void {
		this.lines.push(`${level}: ${text}`);
	}
}
