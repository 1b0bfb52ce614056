// One thing that `fota doctor` looks at, and what comes of it. Made by the checks, printed by the command.

export interface Check {
	/** What was looked at, such as "Moddable SDK". */
	readonly title: string;
	readonly isOk: boolean;
	/** What was seen. */
	readonly found: string;
	/** Nothing that is wrong: something else may be wanted. */
	readonly isNote?: true;
	/** What to do about it; there when it is not ok, or a note. */
	readonly next?: string | undefined;
}

export function passed(title: string, found: string): Check {
	return { title, isOk: true, found };
}

export function failed(title: string, found: string, next: string): Check {
	return { title, isOk: false, found, next };
}

/** What is fine for now, with what it would need for more. */
export function noted(title: string, found: string, next: string): Check {
	return { title, isOk: true, isNote: true, found, next };
}

/** ✓, ✗ or –, the title, what was seen; below one that is not ✓, what to do. */
export function checkLines(checks: readonly Check[]): readonly string[] {
	const width = Math.max(...checks.map(({ title }) => title.length));
	return checks.flatMap((check) => {
		const mark = check.isNote ? "–" : check.isOk ? "✓" : "✗";
		const line = `${mark} ${check.title.padEnd(width)}  ${check.found}`;
		return check.next === undefined ? [line] : [line, `  ${" ".repeat(width)}  → ${check.next}`];
	});
}
