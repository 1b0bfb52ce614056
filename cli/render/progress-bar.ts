// One line that fills up. On a terminal it is redrawn in place; elsewhere a line is printed at each quarter, so that
// logs stay short. Called by `fota publish` and the demo. It must not know what progresses.
import type { Output } from "../shell.js";

const BAR_CELLS = 24;

export interface ProgressBarOptions {
	/** What stands in front, such as "upload". */
	readonly label: string;
	readonly total: number;
	/** Turns a count into text. Default: bytes as KiB. */
	readonly format?: ((done: number, total: number) => string) | undefined;
	readonly output: Output;
}

export class ProgressBar {
	readonly #options: ProgressBarOptions;
	readonly #output: Output;
	#shown = "";
	#quarter = -1;

	constructor(options: ProgressBarOptions) {
		this.#options = options;
		this.#output = options.output;
	}

	update(done: number): void {
		const { total } = this.#options;
		const line = barLine(this.#options, Math.min(done, total));
		const quarter = Math.floor((4 * Math.min(done, total)) / Math.max(1, total));
		if (this.#output.isTTY) {
			if (line !== this.#shown) this.#output.write(`\r${line}\x1b[K`);
		} else if (quarter > this.#quarter) {
			this.#output.write(`${line}\n`);
		}
		this.#shown = line;
		this.#quarter = Math.max(quarter, this.#quarter);
	}

	/** Takes the line away, so that other text can be printed; the next update draws it again. */
	clear(): void {
		if (this.#output.isTTY && this.#shown !== "") this.#output.write("\r\x1b[K");
		this.#shown = "";
	}

	/** Leaves the line as it stands. */
	end(): void {
		if (this.#output.isTTY && this.#shown !== "") this.#output.write("\n");
		this.#shown = "";
	}
}

export function barLine(options: Omit<ProgressBarOptions, "output">, done: number): string {
	const { label, total } = options;
	const share = total === 0 ? 1 : done / total;
	const cells = Math.floor(share * BAR_CELLS);
	const amount = (options.format ?? kibibytes)(done, total);
	const bar = "█".repeat(cells) + "░".repeat(BAR_CELLS - cells);
	return `${label} ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${amount}`;
}

function kibibytes(done: number, total: number): string {
	return `${Math.ceil(done / 1024)} of ${Math.ceil(total / 1024)} KiB`;
}
