// Runs a contract under Node. Called by the tests of each implementation there.
import { describe, it } from "vitest";
import type { Contract } from "./contract.js";

export interface Opened<Subject> {
	readonly subject: Subject;
	/** What stands there after a restart by software. Needed where a case has more than one step. */
	readonly restart?: () => Subject;
}

export function describeContract<Subject>(
	name: string,
	contract: Contract<Subject>,
	open: () => Opened<Subject>,
): void {
	describe(name, () => {
		for (const { title, steps } of contract)
			it(title, async () => {
				const { subject, restart } = open();
				let current = subject;
				for (const [index, step] of steps.entries()) {
					if (index > 0) current = (restart ?? missing)();
					await step(current);
				}
			});
	});
}

function missing(): never {
	throw new Error("this contract needs a restart");
}
