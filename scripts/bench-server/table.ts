// The bench's rows, and how they are printed. Used by bench-server.ts and its phases.
import type { Comparison } from "./rounds.js";

/** What a ratio is to be at least or at most. */
export type Goal = { readonly atLeast: number } | { readonly atMost: number };

export interface Row extends Partial<Comparison> {
	readonly label: string;
	readonly goal?: Goal;
	/** Why it was not measured. */
	readonly leftOut?: string;
}

/** Undefined where there is no goal, or nothing was measured. */
export function isMet({ ratio, goal }: Row): boolean | undefined {
	if (goal === undefined || ratio === undefined) return undefined;
	return "atLeast" in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
}

export function printTable(rows: readonly Row[]): void {
	const width = Math.max(...rows.map(({ label }) => label.length)) + 2;
	const line = (label: string, cells: readonly string[]) =>
		console.log(label.padEnd(width) + cells.map((cell) => cell.padStart(10)).join(""));
	line("", ["measured", "against", "ratio", "goal", ""]);
	for (const row of rows) {
		if (row.leftOut !== undefined) console.log(`${row.label.padEnd(width)}  left out: ${row.leftOut}`);
		else
			line(row.label, [
				number(row.value),
				number(row.against),
				ratioText(row.ratio),
				goalText(row),
				verdict(row),
			]);
	}
}

function number(value: number | undefined): string {
	if (value === undefined) return "";
	return value >= 100 ? String(Math.round(value)) : value.toFixed(1);
}

function ratioText(ratio: number | undefined): string {
	return ratio?.toFixed(2) ?? "";
}

function goalText({ goal }: Row): string {
	if (goal === undefined) return "";
	return "atLeast" in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

function verdict(row: Row): string {
	const met = isMet(row);
	if (met === undefined) return "";
	return met ? "met" : "missed";
}
