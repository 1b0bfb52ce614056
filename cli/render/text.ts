// What the commands print: results, tables, errors with their next step. Results go to standard output, everything else
// to standard error. It must not know where the data came from.
import type { CliError } from "../cli-error.js";
import type { Output, Shell } from "../shell.js";
import { asTyped } from "./as-typed.js";

const GAP = "  ";
/** Narrower, a table's last column would be one word a line. */
const LAST_COLUMN_MIN = 16;

export function printLine(output: Output, text: string): void {
	output.write(`${text}\n`);
}

/** Pairs in two columns. */
export function printFacts(
	output: Output,
	facts: Readonly<Record<string, string | number | undefined>>,
): void {
	const shown = Object.entries(facts).filter(([, value]) => value !== undefined);
	const width = Math.max(...shown.map(([name]) => name.length));
	for (const [name, value] of shown) printLine(output, `  ${name.padEnd(width)}  ${value}`);
}

/** Characters of a line: the terminal's, or `otherwise` where there is none, or one that does not know (it says 0). */
export function lineWidth({ isTTY, columns }: Output, otherwise: number): number {
	return (isTTY && columns) || otherwise;
}

/**
 * Rows under headings, columns as wide as their widest cell. Where `maxWidth` (characters) is given and the rows would be
 * longer, the last column is broken between words into further lines, not below {@link LAST_COLUMN_MIN}.
 */
export function formatTable(
	headings: readonly string[],
	rows: readonly (readonly string[])[],
	maxWidth = Number.POSITIVE_INFINITY,
): string {
	const last = headings.length - 1;
	const before = columnWidths([headings, ...rows]).slice(0, last);
	const room = maxWidth - before.reduce((sum, width) => sum + width + GAP.length, 0);
	const all = rows.flatMap((row) => {
		const [first = "", ...more] = wrapWords(row[last] ?? "", Math.max(LAST_COLUMN_MIN, room));
		return [[...row.slice(0, last), first], ...more.map((text) => [...before.map(() => ""), text])];
	});
	const widths = columnWidths([headings, ...all]);
	const formatRow = (row: readonly string[]) =>
		widths
			.map((width, column) => (row[column] ?? "").padEnd(width))
			.join(GAP)
			.trimEnd();
	return [
		formatRow(headings),
		widths.map((width) => "─".repeat(width)).join(GAP),
		...all.map(formatRow),
	].join("\n");
}

function columnWidths(rows: readonly (readonly string[])[]): number[] {
	return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
}

/** Lines of at most `width` characters, except for words that are longer. */
function wrapWords(text: string, width: number): string[] {
	const lines: string[] = [];
	for (const word of text.split(" ")) {
		const longer = `${lines.at(-1)} ${word}`;
		if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
		else lines.push(word);
	}
	return lines;
}

export function printError({ stderr, environment }: Shell, error: CliError): void {
	printLine(stderr, `fota: ${error.message}`);
	if (error.hint) printLine(stderr, `      ${asTyped(error.hint, environment)}`);
}
