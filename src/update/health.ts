// Whether a firmware on trial may stay: pure. The runner asks once a second; the answer is acted on by the machine.
import type { HealthCheck } from "./ports.js";

/** A firmware that was well for a shorter time has shown nothing. */
export const STABLE_MS = 30_000;

export interface TrialFacts {
	/** Since the trial was found to be one. */
	readonly elapsedMs: number;
	/** Names of the application's checks that fail now. */
	readonly unhealthy: readonly string[];
	/** How long none has failed, as far as was looked; 0 while one fails. */
	readonly wellMs: number;
	/**
	 * The server accepted a report from this firmware since it started, so network, credentials and protocol work; or whoever
	 * has the device's key vouched for it over the local network.
	 */
	readonly isReported: boolean;
	/** Undefined: there is no way back, so there is no deadline. */
	readonly deadlineMs: number | undefined;
}

export type TrialVerdict =
	| { readonly verdict: "wait" }
	| { readonly verdict: "confirm" }
	| { readonly verdict: "give-up"; readonly message: string };

export function judgeTrial(facts: TrialFacts): TrialVerdict {
	const lacking = whatIsMissing(facts);
	// Also at the very last moment: the look that found it out is this one.
	if (lacking.length === 0) return { verdict: "confirm" };
	const isOver = facts.deadlineMs !== undefined && facts.elapsedMs >= facts.deadlineMs;
	return isOver ? { verdict: "give-up", message: lacking.join("; ") } : { verdict: "wait" };
}

function whatIsMissing({ isReported, unhealthy, wellMs }: TrialFacts): string[] {
	const parts = isReported ? [] : ["no report was accepted"];
	if (unhealthy.length > 0) parts.push(`unhealthy: ${unhealthy.join(", ")}`);
	else if (wellMs < STABLE_MS)
		parts.push(`well for ${Math.floor(wellMs / 1000)} s only, not for ${STABLE_MS / 1000} s`);
	return parts;
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
