// What happens next to a running rollout, from how many devices are through and how it went for them. Pure; called by
// stores/advance-rollouts.ts after failures and every half minute.
import type { RolloutPlan, Wave } from "./rollout-plan.js";

export interface WaveCounts {
	/** Devices within reach, those that are through included. */
	readonly size: number;
	readonly succeeded: number;
	/** For good, rolled back included; not those that will be tried again. */
	readonly failed: number;
	/** In the middle of their installation, and not heard of for {@link OVERDUE_MS}. */
	readonly overdue: number;
}

export interface RolloutProgress {
	/** The last wave that is open. */
	readonly wave: number;
	readonly waveOpenedAtMs: number;
	/** One a wave of the plan. */
	readonly waves: readonly WaveCounts[];
	/** Left out by stop rule and success rates: what there was when an operator resumed the rollout all the same. */
	readonly forgiven: { readonly finished: number; readonly failed: number };
}

export type RolloutDecision =
	| { readonly kind: "nothing" }
	| { readonly kind: "open-wave"; readonly wave: number }
	| { readonly kind: "complete" }
	| { readonly kind: "stop"; readonly reason: string };

const MINUTE_MS = 60_000;
/** Longer than a restart and a trial with its deadline take. */
export const OVERDUE_MS = 15 * MINUTE_MS;

export function decideRollout(plan: RolloutPlan, progress: RolloutProgress, nowMs: number): RolloutDecision {
	const reason = stopReason(plan, progress) ?? shortfall(plan, progress);
	if (reason !== undefined) return { kind: "stop", reason };
	if (!isWavePassed(plan, progress, nowMs)) return { kind: "nothing" };
	if (progress.wave < plan.waves.length - 1) return { kind: "open-wave", wave: progress.wave + 1 };
	const isEveryoneThrough = progress.waves.every((wave) => finishedOf(wave) >= wave.size);
	// Nobody within reach is nobody who tried it.
	const isAnyoneThrough = total(progress, finishedOf) > 0;
	return { kind: isEveryoneThrough && isAnyoneThrough ? "complete" : "nothing" };
}

function stopReason({ stop_rule: rule }: RolloutPlan, progress: RolloutProgress): string | undefined {
	if (rule === null) return undefined;
	const failed = Math.max(0, total(progress, (wave) => wave.failed) - progress.forgiven.failed);
	const finished = Math.max(failed, total(progress, finishedOf) - progress.forgiven.finished);
	if (failed === 0 || failed < rule.min_failure_count) return undefined;
	if (failed * 100 <= rule.max_failure_percent * finished) return undefined;
	return `${failed} of ${finished} devices failed, more than ${rule.max_failure_percent} %`;
}

/** What must have come true of some waves before the next one opens. */
interface Gate {
	readonly rule: Wave;
	/** Of the waves it looks at, added up. */
	readonly counts: WaveCounts;
}

/** That of the open wave, and those of the waves before it that nobody went through: it stands in for them. */
function gatesOf({ waves: rules }: RolloutPlan, progress: RolloutProgress): Gate[] {
	const gates: Gate[] = [];
	let counts: WaveCounts = { size: 0, succeeded: 0, failed: 0, overdue: 0 };
	for (let wave = progress.wave; wave >= 0; wave--) {
		const own = progress.waves[wave];
		const rule = rules[wave];
		if (own === undefined || rule === undefined) break;
		if (wave < progress.wave && finishedOf(own) > 0) break;
		counts = added(counts, own);
		gates.push({ rule, counts });
	}
	return gates;
}

function isWavePassed(plan: RolloutPlan, progress: RolloutProgress, nowMs: number): boolean {
	const rule = plan.waves[progress.wave];
	if (rule === undefined || nowMs - progress.waveOpenedAtMs < rule.min_wait_minutes * MINUTE_MS) return false;
	return isEmptyOnTheWay(plan, progress) || gatesOf(plan, progress).every((gate) => isMet(gate, progress));
}

// A wave without devices says nothing: the next one that has some must do for both. With nobody anywhere it waits.
function isEmptyOnTheWay(plan: RolloutPlan, { wave, waves }: RolloutProgress): boolean {
	const isLast = wave === plan.waves.length - 1;
	return !isLast && waves[wave]?.size === 0 && waves.slice(wave + 1).some(({ size }) => size > 0);
}

function isMet({ rule, counts }: Gate, progress: RolloutProgress): boolean {
	if (finishedOf(counts) < Math.min(rule.min_finished_count, counts.size)) return false;
	// Threat: a release that leaves boards without a word. Those that came through, or report their failure, come first.
	const { succeeded, failed, overdue } = counts;
	const isQuiet = overdue > 0 && succeeded * 100 < rule.min_success_percent * (succeeded + failed + overdue);
	return (
		(rule.min_finished_count === 0 || isProven(progress)) && !isQuiet && !isShort({ rule, counts }, progress)
	);
}

/** One device shows that the release can work. Where the operator resumed in spite of it, failures are proof enough. */
function isProven(progress: RolloutProgress): boolean {
	return total(progress, ({ succeeded }) => succeeded) > 0 || progress.forgiven.finished > 0;
}

/** Everyone is through and too few of them well: by itself that never gets better. */
function shortfall(plan: RolloutPlan, progress: RolloutProgress): string | undefined {
	const isOver = ({ counts }: Gate) => counts.size > 0 && finishedOf(counts) >= counts.size;
	const gates = gatesOf(plan, progress);
	const gate = gates.find((item) => isOver(item) && isShort(item, progress));
	if (gate === undefined) return isHopeless(plan, progress, gates) ? noneSucceeded(progress) : undefined;
	const { counts, rule } = gate;
	return `${counts.succeeded} of ${finishedOf(counts)} devices of the wave succeeded, less than ${rule.min_success_percent} %`;
}

/** One must have succeeded, and nobody is left in the open waves who could: the failed ones may be of a wave before. */
function isHopeless(plan: RolloutPlan, progress: RolloutProgress, gates: readonly Gate[]): boolean {
	if (isProven(progress) || gates.every(({ rule }) => rule.min_finished_count === 0)) return false;
	if (total(progress, finishedOf) === 0 || isEmptyOnTheWay(plan, progress)) return false;
	return progress.waves.slice(0, progress.wave + 1).every((wave) => finishedOf(wave) >= wave.size);
}

function noneSucceeded(progress: RolloutProgress): string {
	return `none of ${total(progress, finishedOf)} devices succeeded`;
}

function isShort({ rule, counts }: Gate, progress: RolloutProgress): boolean {
	const failedSince = Math.max(0, total(progress, (wave) => wave.failed) - progress.forgiven.failed);
	const failed = Math.min(counts.failed, failedSince);
	return counts.succeeded * 100 < rule.min_success_percent * (counts.succeeded + failed);
}

function added(a: WaveCounts, b: WaveCounts): WaveCounts {
	return {
		size: a.size + b.size,
		succeeded: a.succeeded + b.succeeded,
		failed: a.failed + b.failed,
		overdue: a.overdue + b.overdue,
	};
}

function finishedOf({ succeeded, failed }: WaveCounts): number {
	return succeeded + failed;
}

function total({ waves }: RolloutProgress, of: (wave: WaveCounts) => number): number {
	return waves.reduce((sum, wave) => sum + of(wave), 0);
}
