// What a contract of a port is: cases that every implementation passes. Plain TypeScript without a test framework, so
// that the same cases run under Node on fakes (on-node.ts) and on XS in the simulator (native/on-xs.ts). It must not know
// any port.
import { FotaError } from "../../src/protocol/error-codes.js";

export interface Case<Subject> {
	readonly title: string;
	/** Between two steps the device restarts by software: nothing in memory survives. */
	readonly steps: readonly ((subject: Subject) => void | Promise<void>)[];
}

export type Contract<Subject> = readonly Case<Subject>[];

const SHOWN_MAX_CHARS = 150;

/** Compares plain values; `undefined` in an object counts as absent. */
export function expectEqual(actual: unknown, expected: unknown): void {
	const [seen, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
	if (seen !== wanted) throw new Error(`expected ${shown(wanted)}, but it is ${shown(seen)}`);
}

function shown(json: string | undefined): string {
	return `${json}`.slice(0, SHOWN_MAX_CHARS);
}

/** Code of the FotaError that a call throws; "nothing" if it throws nothing. */
export function codeOf(call: () => unknown): string {
	try {
		call();
	} catch (error) {
		return error instanceof FotaError ? error.code : `not a FotaError: ${error}`;
	}
	return "nothing";
}
