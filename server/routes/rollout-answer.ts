// How rollouts are shown to operators. Used by the rollout routes.
import { MEMBER_STATUSES } from "../domain/rollout-plan.js";
import { countMembers, type MemberCount } from "../stores/rollout-member-store.js";
import { listRolloutEvents, planOf, targetOf } from "../stores/rollout-store.js";
import type { Records, RolloutDeviceRow, RolloutRow } from "../stores/tables.js";
import { timeOf } from "./time.js";

const EVENTS_SHOWN = 100;

export function rolloutAnswer(row: RolloutRow) {
	return {
		id: row.id,
		name: row.name,
		release_id: row.release_id,
		device_type: row.device_type,
		chip: row.chip,
		target: targetOf(row),
		priority: row.priority,
		...planOf(row),
		state: row.state,
		state_reason: row.state_reason,
		wave: row.wave < 0 ? null : row.wave,
		created_by: row.created_by,
		created_at: timeOf(row.created_at_ms),
		updated_at: timeOf(row.updated_at_ms),
		started_at: timeOf(row.started_at_ms),
		finished_at: timeOf(row.finished_at_ms),
	};
}

export async function rolloutDetailAnswer(db: Records, row: RolloutRow) {
	const counts = await countMembers(db, row.id);
	const sizes = row.wave_sizes === null ? [] : (JSON.parse(row.wave_sizes) as number[]);
	const events = await listRolloutEvents(db, row.id, EVENTS_SHOWN);
	return {
		...rolloutAnswer(row),
		counts: byStatus(counts),
		wave_counts: planOf(row).waves.map(({ share_percent }, wave) => ({
			wave,
			share_percent,
			device_count: sizes[wave] ?? null,
			counts: byStatus(counts.filter((item) => item.wave === wave)),
		})),
		events: events.map(({ id, at_ms, type, actor, reason, details }) => ({
			id,
			time: timeOf(at_ms),
			type,
			actor,
			reason,
			details: JSON.parse(details) as Record<string, unknown>,
		})),
	};
}

function byStatus(counts: readonly MemberCount[]): Record<string, number> {
	const sumOf = (status: string) =>
		counts.filter((item) => item.status === status).reduce((sum, { count }) => sum + count, 0);
	return Object.fromEntries(MEMBER_STATUSES.map((status) => [status, sumOf(status)]));
}

export function memberAnswer(row: RolloutDeviceRow) {
	return {
		device_id: row.device_id,
		wave: row.wave,
		status: row.status,
		attempts: row.attempts,
		next_try_at: timeOf(row.next_try_at_ms),
		offered_at: timeOf(row.offered_at_ms),
		finished_at: timeOf(row.finished_at_ms),
		rollback_order_id: row.rollback_order_id,
	};
}
