// The tables of updates and rollouts as Kysely sees them, part of tables.ts: as there, times are Unix milliseconds and
// booleans 0 and 1.
import type { Generated } from "kysely";
import type { MemberStatus, RolloutState } from "../domain/rollout-plan.js";
import type { UpdateStatus } from "../domain/update-history.js";

/** What the last reports said is in each slot of a device. */
export interface DeviceSlotTable {
	device_id: string;
	slot: string;
	version: string | null;
	hash: string | null;
	/** As in a report (docs/protocol.md §7). */
	state: string;
	seen_at_ms: number;
}

export interface DeviceTagTable {
	device_id: string;
	tag: string;
}

/** One try of one device at one release, from any source. */
export interface UpdateTable {
	id: Generated<number>;
	device_id: string;
	/** Null for an image that is no release of this server. */
	release_id: number | null;
	rollout_id: number | null;
	wave: number | null;
	status: UpdateStatus;
	/** State of the device in its last report of progress. */
	stage: string | null;
	/** Counted from 1: of this device at this image, within a rollout where there is one. */
	attempt: number;
	from_version: string | null;
	to_version: string | null;
	hash: string | null;
	bytes_received: Generated<number>;
	bytes_total: number | null;
	error_code: string | null;
	error_message: string | null;
	/** JSON of a FlightRecord; null unless it failed. */
	flight_record: string | null;
	started_at_ms: number;
	changed_at_ms: number;
	finished_at_ms: number | null;
}

export interface RolloutTable {
	id: Generated<number>;
	name: string;
	release_id: number;
	/** Of the release. */
	device_type: string;
	chip: string;
	/** JSON of a RolloutTarget; its named devices are in rollout_targets. */
	target: string;
	/** JSON of a RolloutPlan. */
	plan: string;
	/** Hex; gives each device its bucket. */
	seed: string;
	/** The higher goes first where several rollouts are for one device. */
	priority: number;
	state: RolloutState;
	/** Why it is in this state, where somebody or something gave a reason. */
	state_reason: string | null;
	/** 0 while there are downloads to end or rollbacks to order after it was stopped or aborted. */
	is_settled: Generated<number>;
	/** The last wave that is open; -1 before the start. */
	wave: Generated<number>;
	wave_opened_at_ms: number | null;
	/** JSON: how many devices each wave has, those out of reach left out; as of counted_at_ms. */
	wave_sizes: string | null;
	counted_at_ms: number | null;
	/** Devices gone through for that; null when they were not counted yet. */
	counted_device_count: Generated<number | null>;
	/** What the stop rule does not count: what there was when the rollout was resumed after it had struck. */
	forgiven_finished: Generated<number>;
	forgiven_failed: Generated<number>;
	created_by: string;
	created_at_ms: number;
	updated_at_ms: number;
	started_at_ms: number | null;
	finished_at_ms: number | null;
}

export interface RolloutTargetTable {
	rollout_id: number;
	device_id: string;
}

/** A device that was offered the release by a rollout; there is no row before that. */
export interface RolloutDeviceTable {
	rollout_id: number;
	device_id: string;
	wave: number;
	status: MemberStatus;
	attempts: number;
	/** Only with status "retrying". */
	next_try_at_ms: number | null;
	/** Until when it holds a download place without a word. */
	lease_until_ms: number | null;
	/** The order that was given when the rollout was rolled back. */
	rollback_order_id: number | null;
	offered_at_ms: number;
	finished_at_ms: number | null;
}

export interface RolloutEventTable {
	id: Generated<number>;
	rollout_id: number;
	at_ms: number;
	type: string;
	/** Who: a user, a token, or "server". */
	actor: string;
	reason: string | null;
	/** JSON object. */
	details: string;
}

/** Work that all servers on one database share: who did it last, and when. */
export interface TaskTurnTable {
	name: string;
	taken_at_ms: number;
}
