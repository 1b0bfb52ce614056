// What happens next to a running rollout, from how many devices are through and how it went for them. Pure; called by
// stores/advance-rollouts.ts after failures and every half minute.
import type { RolloutPlan } from "./rollout-plan.js";

export interface WaveCounts {
	/** Devices within reach, those that are through included. */
	readonly size: number;
	readonly succeeded: number;
	/** For good, rolled back included; not those that will be tried again. */
	readonly failed: number;
}

export interface RolloutProgress {
	/** The last wave that is open. */
	readonly wave: number;
	readonly waveOpenedAtMs: number;
	/** One a wave of the plan. */
	readonly waves: readonly WaveCounts[];
	/** Left out by the stop rule: what there was when an operator resumed the rollout all the same. */
	readonly forgiven: { readonly finished: number; readonly failed: number };
}

export type RolloutDecision =
	| { readonly kind: "nothing" }
	| { readonly kind: "open-wave"; readonly wave: number }
	| { readonly kind: "complete" }
	| { readonly kind: "stop"; readonly reason: string };

const MINUTE_MS = 60_000;

export function decideRollout(plan: RolloutPlan, progress: RolloutProgress, nowMs: number): RolloutDecision {
	const reason = stopReason(plan, progress);
	if (reason !== undefined) return { kind: "stop", reason };
	if (!isWavePassed(plan, progress, nowMs)) return { kind: "nothing" };
	if (progress.wave < plan.waves.length - 1) return { kind: "open-wave", wave: progress.wave + 1 };
	const isEveryoneThrough = progress.waves.every((wave) => finishedOf(wave) >= wave.size);
	return { kind: isEveryoneThrough ? "complete" : "nothing" };
}

function stopReason({ stop_rule: rule }: RolloutPlan, progress: RolloutProgress): string | undefined {
	if (rule === null) return undefined;
	const failed = Math.max(0, total(progress, (wave) => wave.failed) - progress.forgiven.failed);
	const finished = Math.max(failed, total(progress, finishedOf) - progress.forgiven.finished);
	if (failed === 0 || failed < rule.min_failure_count) return undefined;
	if (failed * 100 <= rule.max_failure_percent * finished) return undefined;
	return `${failed} of ${finished} devices failed, more than ${rule.max_failure_percent} %`;
}

function isWavePassed(plan: RolloutPlan, progress: RolloutProgress, nowMs: number): boolean {
	const gate = plan.waves[progress.wave];
	const counts = progress.waves[progress.wave];
	if (gate === undefined || counts === undefined) return false;
	const finished = finishedOf(counts);
	return (
		nowMs - progress.waveOpenedAtMs >= gate.min_wait_minutes * MINUTE_MS &&
		finished >= Math.min(gate.min_finished_count, counts.size) &&
		counts.succeeded * 100 >= gate.min_success_percent * finished
	);
}

function finishedOf({ succeeded, failed }: WaveCounts): number {
	return succeeded + failed;
}

function total({ waves }: RolloutProgress, of: (wave: WaveCounts) => number): number {
	return waves.reduce((sum, wave) => sum + of(wave), 0);
}
