// Environment variables, one by one, checked. Called by settings.ts and its parts; errors name the variable, never its
// value.
import { FotaError } from "../src/protocol/error-codes.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Throws `request-malformed`. */
export function parseInteger(
	environment: Environment,
	name: string,
	limits: { readonly min: number; readonly max: number; readonly otherwise: number },
): number {
	const text = environment[name] || String(limits.otherwise);
	const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
	if (!(value >= limits.min && value <= limits.max))
		throw new FotaError("request-malformed", `${name} is not a number from ${limits.min} to ${limits.max}`);
	return value;
}
