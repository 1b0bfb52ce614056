// Carries running rollouts forward: opens waves, completes, stops. Called after a failure and by the rollout task; the
// decision is domain/rollout-progress.ts. Any number of servers may do this at once: the rollout's lock orders them.
import type { FastifyBaseLogger } from "fastify";
import { announce } from "../announce.js";
import type { FotaEvent } from "../domain/event.js";
import type { RolloutPlan } from "../domain/rollout-plan.js";
import {
	decideRollout,
	OVERDUE_MS,
	type RolloutDecision,
	type RolloutProgress,
	type WaveCounts,
} from "../domain/rollout-progress.js";
import { appendAudit } from "./audit-store.js";
import { appendEvents } from "./event-store.js";
import { findReleaseById } from "./release-store.js";
import { countWaves } from "./rollout-census.js";
import { countMembers, countOverdue, type MemberCount, type OverdueCount } from "./rollout-member-store.js";
import { changeRollout, findRollout, lockRollout, noteRollout, planOf } from "./rollout-store.js";
import type { Records, RolloutRow } from "./tables.js";

export interface RolloutTools {
	readonly db: Records;
	readonly log: FastifyBaseLogger;
	readonly nowMs: () => number;
}

/** How old the count of devices within reach may be … */
const RECOUNT_MS = 600_000;
/** … where more devices than this have to be gone through for it; else they are counted each time. */
const SMALL_FLEET = 2000;

/** Counts anew where it is time, then decides. */
export async function advanceRollout(tools: RolloutTools, rolloutId: number): Promise<void> {
	await recount(tools, rolloutId);
	await judgeRollout(tools, rolloutId);
}

// Outside of the transaction that decides: it may take a second, and it need not be of this very moment.
async function recount({ db, nowMs }: RolloutTools, rolloutId: number): Promise<void> {
	const row = await findRollout(db, rolloutId);
	if (row?.state !== "running" || !isCountDue(row, nowMs())) return;
	const release = await findReleaseById(db, row.release_id);
	if (release === undefined) return;
	const { sizes, deviceCount } = await countWaves(db, row, release, nowMs());
	const count = { wave_sizes: JSON.stringify(sizes), counted_device_count: deviceCount };
	await changeRollout(db, rolloutId, { ...count, counted_at_ms: nowMs() });
}

function isCountDue(row: RolloutRow, nowMs: number): boolean {
	const { counted_at_ms: countedAtMs, counted_device_count: deviceCount } = row;
	if (countedAtMs === null || deviceCount === null) return true;
	return deviceCount <= SMALL_FLEET || nowMs - countedAtMs >= RECOUNT_MS;
}

function sizesOf({ wave_sizes }: RolloutRow): number[] | undefined {
	return wave_sizes === null ? undefined : (JSON.parse(wave_sizes) as number[]);
}

/** Decides by what is known. After a failure: the stop rule must not wait for the next count. */
export async function judgeRollout(tools: RolloutTools, rolloutId: number): Promise<void> {
	const nowMs = tools.nowMs();
	const events = await tools.db.transaction().execute(async (transaction) => {
		const row = await lockRollout(transaction, rolloutId, "change");
		if (row?.state !== "running") return [];
		const release = await findReleaseById(transaction, row.release_id);
		if (release?.is_active !== 1) return pauseWithdrawn(transaction, row, nowMs);
		const plan = planOf(row);
		const progress = progressOf(row, plan, await countProgress(transaction, rolloutId, nowMs));
		return apply(transaction, { row, plan, decision: decideRollout(plan, progress, nowMs), nowMs });
	});
	announce(tools.log, events);
}

export interface ProgressCounts {
	readonly counts: readonly MemberCount[];
	readonly overdue: readonly OverdueCount[];
}

export async function countProgress(db: Records, rolloutId: number, nowMs: number): Promise<ProgressCounts> {
	return {
		counts: await countMembers(db, rolloutId),
		overdue: await countOverdue(db, rolloutId, nowMs - OVERDUE_MS),
	};
}

export function progressOf(
	row: RolloutRow,
	plan: RolloutPlan,
	{ counts, overdue }: ProgressCounts,
): RolloutProgress {
	const sizes = sizesOf(row);
	const waves = plan.waves.map((_wave, wave): WaveCounts => {
		const countOf = (...statuses: readonly string[]) =>
			counts
				.filter((item) => item.wave === wave && statuses.includes(item.status))
				.reduce((sum, { count }) => sum + count, 0);
		const succeeded = countOf("succeeded");
		const failed = countOf("failed", "rolled_back");
		const underWay = countOf("offered", "downloading", "installing");
		return {
			// Not counted yet: no wave is over. Nor while somebody is in the middle of it, whom the last count may not know.
			size: Math.max(sizes?.[wave] ?? Number.MAX_SAFE_INTEGER, succeeded + failed + underWay),
			succeeded,
			failed,
			overdue: overdue.find((item) => item.wave === wave)?.count ?? 0,
		};
	});
	const forgiven = { finished: row.forgiven_finished, failed: row.forgiven_failed };
	return { wave: row.wave, waveOpenedAtMs: row.wave_opened_at_ms ?? 0, waves, forgiven };
}

interface Judgement {
	readonly row: RolloutRow;
	readonly plan: RolloutPlan;
	readonly decision: RolloutDecision;
	readonly nowMs: number;
}

async function apply(transaction: Records, judgement: Judgement): Promise<FotaEvent[]> {
	const { row, decision, nowMs } = judgement;
	switch (decision.kind) {
		case "nothing":
			return [];
		case "open-wave": {
			const changes = { wave: decision.wave, wave_opened_at_ms: nowMs, counted_at_ms: null };
			return record(transaction, row, { changes, type: "rollout_wave_opened", nowMs });
		}
		case "complete": {
			const changes = { state: "completed", state_reason: null, finished_at_ms: nowMs } as const;
			return record(transaction, row, { changes, type: "rollout_completed", nowMs });
		}
		case "stop":
			return stop(transaction, judgement, decision.reason);
	}
}

async function stop(
	transaction: Records,
	{ row, plan, nowMs }: Judgement,
	reason: string,
): Promise<FotaEvent[]> {
	if (plan.on_stop === "pause") {
		const changes = { state: "paused", state_reason: reason } as const;
		return record(transaction, row, { changes, type: "rollout_paused", reason, nowMs });
	}
	const changes = { state: "stopped", state_reason: reason, finished_at_ms: nowMs, is_settled: 0 } as const;
	return record(transaction, row, { changes, type: "rollout_stopped", reason, nowMs });
}

async function pauseWithdrawn(transaction: Records, row: RolloutRow, nowMs: number): Promise<FotaEvent[]> {
	const reason = "the release was deactivated";
	const changes = { state: "paused", state_reason: reason } as const;
	return record(transaction, row, { changes, type: "rollout_paused", reason, nowMs });
}

export interface RolloutStep {
	readonly changes: Partial<Pick<RolloutRow, "state" | "state_reason" | "wave" | "wave_opened_at_ms">> &
		Partial<Pick<RolloutRow, "counted_at_ms" | "started_at_ms" | "finished_at_ms" | "is_settled">> &
		Partial<Pick<RolloutRow, "forgiven_finished" | "forgiven_failed">>;
	readonly type: FotaEvent["type"];
	readonly reason?: string | undefined;
	/** Default: the server itself. */
	readonly actor?: string | undefined;
	readonly nowMs: number;
}

/** Changes the rollout and writes that down in its own log and the event log; in the audit log where no operator did it. */
export async function record(transaction: Records, row: RolloutRow, step: RolloutStep): Promise<FotaEvent[]> {
	const { changes, type, reason, actor = "server", nowMs } = step;
	await changeRollout(transaction, row.id, { ...changes, updated_at_ms: nowMs });
	const details = changes.wave === undefined ? {} : { wave: changes.wave };
	await noteRollout(transaction, {
		rolloutId: row.id,
		type: type.replace("rollout_", ""),
		actor,
		reason,
		details,
		nowMs,
	});
	const { device_type, chip } = row;
	const event: FotaEvent = {
		log: "fota",
		type,
		details: { rollout_id: row.id, release_id: row.release_id, device_type, chip, actor, reason, ...details },
	};
	await appendEvents(transaction, [event], nowMs);
	// What an operator does, the route writes to the audit log.
	if (step.actor === undefined) {
		const action = AUDIT_ACTIONS[type] ?? type;
		await appendAudit(transaction, {
			actor,
			action,
			target: `rollout:${row.id}`,
			details: { reason, ...details },
			nowMs,
		});
	}
	return [event];
}

const AUDIT_ACTIONS: Partial<Record<FotaEvent["type"], string>> = {
	rollout_wave_opened: "rollout.open-wave",
	rollout_paused: "rollout.pause",
	rollout_stopped: "rollout.stop",
	rollout_completed: "rollout.complete",
};
