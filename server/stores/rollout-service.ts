// What an operator does with a rollout, each step within the transaction of its route and under the rollout's lock, so
// that of two operators, or an operator and the stop rule, one is first. Called by the rollout routes.
import { FotaError } from "../../src/protocol/error-codes.js";
import type { FotaEvent } from "../domain/event.js";
import {
	checkPlan,
	type RolloutAction,
	type RolloutPlan,
	type RolloutTarget,
	stateAfter,
} from "../domain/rollout-plan.js";
import { decideRollout } from "../domain/rollout-progress.js";
import { countProgress, progressOf, type RolloutStep, record } from "./advance-rollouts.js";
import { findReleaseById } from "./release-store.js";
import { lockFailed, retryFailed } from "./rollout-member-store.js";
import {
	changeRollout,
	deleteRollout,
	insertRollout,
	lockRollout,
	nameDevices,
	noteRollout,
	planOf,
	targetOf,
} from "./rollout-store.js";
import type { Records, RolloutRow } from "./tables.js";

/** A target as it is asked for, with the names of its devices. */
export type WantedTarget =
	| Exclude<RolloutTarget, { readonly kind: "devices" }>
	| { readonly kind: "devices"; readonly device_ids: readonly string[] };

export interface NewRollout {
	readonly name: string;
	readonly releaseId: number;
	readonly target: WantedTarget;
	readonly plan: RolloutPlan;
	readonly priority: number;
	/** Decides which devices come first, see domain/bucket.ts; lower-case hex. */
	readonly seed: string;
}

/** Who does it, and when. */
export interface Doing {
	readonly actor: string;
	readonly nowMs: number;
}

/** Throws `release-unknown`, `request-malformed`. */
export async function createRollout(db: Records, wanted: NewRollout, doing: Doing): Promise<RolloutRow> {
	checkPlan(wanted.plan);
	const release = await findReleaseById(db, wanted.releaseId);
	if (release === undefined) throw new FotaError("release-unknown", "no such release");
	const row = await insertRollout(db, {
		name: wanted.name,
		release_id: release.id,
		device_type: release.device_type,
		chip: release.chip,
		target: JSON.stringify(storedTarget(wanted.target)),
		plan: JSON.stringify(wanted.plan),
		priority: wanted.priority,
		seed: wanted.seed,
		state: "draft",
		created_by: doing.actor,
		created_at_ms: doing.nowMs,
		updated_at_ms: doing.nowMs,
	});
	if (wanted.target.kind === "devices") await nameDevices(db, row.id, wanted.target.device_ids);
	await noteRollout(db, { rolloutId: row.id, type: "created", ...doing });
	return row;
}

export interface RolloutPatch {
	readonly name?: string | undefined;
	readonly target?: WantedTarget | undefined;
	readonly plan: Partial<RolloutPlan>;
	readonly priority?: number | undefined;
}

/** Only while it is a draft. Throws `not-found`, `rollout-conflict`, `request-malformed`. */
export async function patchRollout(
	db: Records,
	id: number,
	patch: RolloutPatch,
	doing: Doing,
): Promise<RolloutRow> {
	const row = await lockedRollout(db, id);
	if (row.state !== "draft")
		throw new FotaError("rollout-conflict", `a rollout that is ${row.state} cannot be changed`);
	const plan: RolloutPlan = { ...planOf(row), ...patch.plan };
	checkPlan(plan);
	const target = patch.target === undefined ? targetOf(row) : storedTarget(patch.target);
	if (patch.target !== undefined)
		await nameDevices(db, id, patch.target.kind === "devices" ? patch.target.device_ids : []);
	await noteRollout(db, { rolloutId: id, type: "changed", ...doing });
	return changeRollout(db, id, {
		name: patch.name ?? row.name,
		target: JSON.stringify(target),
		plan: JSON.stringify(plan),
		priority: patch.priority ?? row.priority,
		updated_at_ms: doing.nowMs,
	});
}

/** Only what was never started. Throws `not-found`, `rollout-conflict`. */
export async function deleteDraft(db: Records, id: number): Promise<RolloutRow> {
	const row = await lockedRollout(db, id);
	if (row.started_at_ms !== null)
		throw new FotaError("rollout-conflict", "a rollout that was started stays, for the history");
	await deleteRollout(db, id);
	return row;
}

function storedTarget(target: WantedTarget): RolloutTarget {
	return target.kind === "devices" ? { kind: "devices" } : target;
}

/** Throws `not-found`. */
export async function lockedRollout(db: Records, id: number): Promise<RolloutRow> {
	const row = await lockRollout(db, id, "change");
	if (row === undefined) throw new FotaError("not-found", "no such rollout");
	return row;
}

export interface Act extends Doing {
	readonly reason?: string | undefined;
}

const EVENT_OF = {
	start: "rollout_started",
	pause: "rollout_paused",
	resume: "rollout_resumed",
	abort: "rollout_aborted",
	"roll-back": "rollout_stopped",
} as const satisfies Record<RolloutAction, FotaEvent["type"]>;

/** Throws `not-found`, `rollout-conflict`. */
export async function actOnRollout(
	db: Records,
	id: number,
	action: RolloutAction,
	act: Act,
): Promise<FotaEvent[]> {
	const row = await lockedRollout(db, id);
	const state = stateAfter(row.state, action);
	const release = await findReleaseById(db, row.release_id);
	if (state === "running" && release?.is_active !== 1)
		throw new FotaError("rollout-conflict", "the release is not active");
	const changes = {
		state,
		state_reason: act.reason ?? null,
		...(await effectOf(db, row, action, act.nowMs)),
	};
	return record(db, row, { changes, type: EVENT_OF[action], ...act });
}

async function effectOf(
	db: Records,
	row: RolloutRow,
	action: RolloutAction,
	nowMs: number,
): Promise<RolloutStep["changes"]> {
	if (action === "start")
		return { wave: 0, wave_opened_at_ms: nowMs, started_at_ms: nowMs, counted_at_ms: null };
	if (action === "roll-back") return { finished_at_ms: nowMs, is_settled: 0 };
	if (action === "abort") return { finished_at_ms: nowMs, is_settled: row.wave < 0 ? 1 : 0 };
	return action === "resume" ? forgiveness(db, row, nowMs) : {};
}

// Where the stop rule would strike again at once, the operator has decided otherwise: it counts from here on.
async function forgiveness(db: Records, row: RolloutRow, nowMs: number): Promise<RolloutStep["changes"]> {
	const plan = planOf(row);
	const progress = progressOf(row, plan, await countProgress(db, row.id, nowMs));
	if (decideRollout(plan, progress, nowMs).kind !== "stop") return {};
	const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
	const failed = sum(progress.waves.map((wave) => wave.failed));
	const finished = failed + sum(progress.waves.map((wave) => wave.succeeded));
	return { forgiven_finished: finished, forgiven_failed: failed };
}

/** Devices a transaction: it holds their reports back. */
const RETRY_DEVICES = 500;

export interface RetriedPage {
	readonly count: number;
	/** Where the next page begins; undefined: this was the last one. */
	readonly next: string | undefined;
}

/** Has a page of the devices tried anew that failed for good. Throws `not-found`, `rollout-conflict`. */
export async function retryFailedDevices(
	db: Records,
	{ rolloutId: id, after, ...act }: Act & { readonly rolloutId: number; readonly after: string },
): Promise<RetriedPage> {
	// What a report is just writing down of a device would undo its new try.
	const deviceIds = await lockFailed(db, { rolloutId: id, after, limit: RETRY_DEVICES });
	const row = await lockedRollout(db, id);
	if (row.state !== "running" && row.state !== "paused")
		throw new FotaError("rollout-conflict", `a rollout that is ${row.state} tries nothing again`);
	const count = await retryFailed(db, { rolloutId: id, deviceIds, nowMs: act.nowMs });
	await noteRollout(db, { rolloutId: id, type: "retried", details: { device_count: count }, ...act });
	// Those that come back as failures count in full.
	await changeRollout(db, id, { forgiven_finished: 0, forgiven_failed: 0, updated_at_ms: act.nowMs });
	return { count, next: deviceIds.length < RETRY_DEVICES ? undefined : deviceIds.at(-1) };
}
