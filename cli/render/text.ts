// What the commands print: results, tables, errors with their next step. Results go to standard output, everything else
// to standard error. It must not know where the data came from.
import type { CliError } from "../cli-error.js";
import type { Output, Shell } from "../shell.js";
import { asTyped } from "./as-typed.js";

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

/** Rows under headings, columns as wide as their widest cell. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
	const all = [headings, ...rows];
	const widths = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
	const formatRow = (row: readonly string[]) =>
		widths
			.map((width, column) => (row[column] ?? "").padEnd(width))
			.join("  ")
			.trimEnd();
	return [
		formatRow(headings),
		widths.map((width) => "─".repeat(width)).join("  "),
		...rows.map(formatRow),
	].join("\n");
}

export function printError({ stderr, environment }: Shell, error: CliError): void {
	printLine(stderr, `fota: ${error.message}`);
	if (error.hint) printLine(stderr, `      ${asTyped(error.hint, environment)}`);
}
