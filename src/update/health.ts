// Whether a firmware on trial may stay: pure. The runner asks once a second; the answer is acted on by the machine.
import type { HealthCheck } from "./ports.js";

/** A firmware that runs shorter than this has shown nothing. */
export const STABLE_MS = 30_000;

export interface TrialFacts {
	readonly elapsedMs: number;
	/** Names of the application's checks that fail now. */
	readonly unhealthy: readonly string[];
	/** The server accepted a report from this firmware since it started: network, credentials and protocol work. */
	readonly isReported: boolean;
	/** Undefined: there is no way back, so there is no deadline. */
	readonly deadlineMs: number | undefined;
}

export type TrialVerdict =
	| { readonly verdict: "wait" }
	| { readonly verdict: "confirm" }
	| { readonly verdict: "give-up"; readonly message: string };

export function judgeTrial(facts: TrialFacts): TrialVerdict {
	const isWell = facts.unhealthy.length === 0 && facts.isReported;
	if (facts.deadlineMs !== undefined && facts.elapsedMs >= facts.deadlineMs) {
		// Well at the very last moment still counts: the check that found it out is this one.
		return isWell ? { verdict: "confirm" } : { verdict: "give-up", message: missing(facts) };
	}
	return isWell && facts.elapsedMs >= STABLE_MS ? { verdict: "confirm" } : { verdict: "wait" };
}

function missing(facts: TrialFacts): string {
	const parts = facts.isReported ? [] : ["no report was accepted"];
	if (facts.unhealthy.length > 0) parts.push(`unhealthy: ${facts.unhealthy.join(", ")}`);
	return parts.join("; ");
}

/** A check that throws is unhealthy. */
export function unhealthyChecks(checks: readonly HealthCheck[]): string[] {
	return checks.filter((check) => !isHealthy(check)).map((check) => check.name);
}

function isHealthy(check: HealthCheck): boolean {
	try {
		return check.isHealthy() === true;
	} catch {
		return false;
	}
}
