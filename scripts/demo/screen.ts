// What the demo shows: numbered steps, the device's serial lines, a progress bar for its download, the summary.
// Called by demo.ts. It must not know what any of it means for the outcome.
import { printable } from "../../cli/render/device-table.js";
import { ProgressBar } from "../../cli/render/progress-bar.js";
import { formatTable, lineWidth, printLine } from "../../cli/render/text.js";

/** Where there is no terminal, or one that does not say. */
const COLUMNS = 110;
const DEVICE_MARK = "   device │ ";
const DOWNLOAD = /download (\d+) %/;
/** The device's own words that are worth a line here; the whole serial log is in a file. */
const SHOWN =
	/xs-fota \d|state (DOWNLOADING|VERIFYING|WRITING|REBOOTING|BOOT_VERIFICATION|ROLLBACK|COMPLETED|FAILED)|confirmed|rolled back|known-bad|restarting|broken on purpose|SECURITY|Loaded app|rollback|\[rom\]/;

export class Screen {
	readonly #isTerminal = process.stdout.isTTY;
	readonly #width = lineWidth(process.stdout, COLUMNS);
	#stepCount = 0;
	#step = "";
	#bar: ProgressBar | undefined;

	step(text: string): void {
		this.#endBar();
		this.#step = `${++this.#stepCount}. ${text}`;
		printLine(process.stdout, `\n${this.#bold(this.#step)}`);
	}

	note(text: string): void {
		this.#bar?.clear();
		printLine(process.stdout, `   ${text}`);
	}

	/** A line of the device's serial port. */
	serialLine(line: string): void {
		const percent = DOWNLOAD.exec(line)?.[1];
		if (percent !== undefined) this.#progress(Number(percent));
		else if (SHOWN.test(line)) {
			this.#endBar();
			const text = line.replace(
				/^([IWE]) \((\d+)\) fota: /,
				(_, level, ms) => `${levelMark(level)}${seconds(ms)} `,
			);
			printLine(process.stdout, (DEVICE_MARK + text).slice(0, this.#width));
		}
	}

	summary(headings: readonly string[], rows: readonly (readonly string[])[]): void {
		this.#endBar();
		printLine(process.stdout, `\n${formatTable(headings, rows, this.#width)}\n`);
	}

	/** In which step the demo broke off, why, and the end of what the device said. */
	failure(reason: string, lastLines: readonly string[]): void {
		this.#endBar();
		if (lastLines.length > 0) {
			printLine(process.stdout, `\n   The last ${lastLines.length} lines of the device's serial log:`);
			for (const line of lastLines) printLine(process.stdout, `   │ ${printable(line)}`);
		}
		printLine(process.stdout, `\n${this.#bold(`FAILED in step ${this.#step}`)}`);
		printLine(process.stdout, `   ${reason}`);
	}

	#progress(percent: number): void {
		const options = { label: `${DEVICE_MARK}download`, total: 100, format: () => "", output: process.stdout };
		this.#bar ??= new ProgressBar(options);
		this.#bar.update(percent);
	}

	#endBar(): void {
		this.#bar?.end();
		this.#bar = undefined;
	}

	#bold(text: string): string {
		return this.#isTerminal ? `\x1b[1m${text}\x1b[0m` : text;
	}
}

function levelMark(level: string): string {
	return level === "I" ? "" : level === "W" ? "warning " : "error ";
}

function seconds(ms: string): string {
	return `${(Number(ms) / 1000).toFixed(1)} s`;
}
