// How devices and their updates are shown to operators. Used by the device and update routes.
import { Type } from "typebox";
import { DEVICE_STATES, SLOT_STATES } from "../../src/protocol/status-report.js";
import { UPDATE_STATUSES } from "../domain/update-history.js";
import type { DeviceRow, DeviceSlotRow, DeviceStatusRow, UpdateRow } from "../stores/tables.js";
import { nullable, oneOf } from "./schemas.js";
import { TimeAnswer, timeOf } from "./time.js";

export const DeviceAnswer = Type.Object({
	device_id: Type.String(),
	device_type: Type.String(),
	chip: nullable(Type.String()),
	state: oneOf(["active", "decommissioned"]),
	decommissioned_at: nullable(TimeAnswer),
	group: nullable(Type.String()),
	tags: Type.Array(Type.String()),
	channel: Type.String(),
	time_zone: nullable(Type.String({ description: "null: the server's default" })),
	note: nullable(Type.String()),
	key: oneOf(["derived", "imported"]),
	key_generation: Type.Integer({ description: "How often the derived key was replaced" }),
	is_legacy: Type.Boolean(),
	version: nullable(Type.String({ description: "Running, by the last report" })),
	fota_state: nullable(oneOf(DEVICE_STATES)),
	last_seen: nullable(TimeAnswer),
	registered_at: TimeAnswer,
});

export const FlightRecordAnswer = Type.Object({
	update_id: Type.Integer(),
	at: nullable(TimeAnswer),
	stage: nullable(Type.String({ description: "State in which it failed" })),
	offset_bytes: nullable(Type.Integer()),
	error_code: Type.String(),
	error: Type.String(),
	reset_reason: Type.Optional(Type.String()),
	memory_min_bytes: Type.Optional(nullable(Type.Integer())),
	rssi_dbm: Type.Optional(nullable(Type.Integer())),
	uptime_s: Type.Optional(Type.Integer()),
});

export const DeviceDetailAnswer = Type.Object({
	...DeviceAnswer.properties,
	slots: Type.Array(
		Type.Object({
			slot: Type.String(),
			version: nullable(Type.String()),
			hash: nullable(Type.String()),
			state: oneOf(SLOT_STATES),
			seen_at: TimeAnswer,
		}),
	),
	last_failure: nullable(FlightRecordAnswer),
});

export const UpdateAnswer = Type.Object({
	id: Type.Integer(),
	device_id: Type.String(),
	release_id: nullable(Type.Integer({ description: "null: no release of this server" })),
	rollout_id: nullable(Type.Integer()),
	wave: nullable(Type.Integer()),
	status: oneOf(UPDATE_STATUSES),
	attempt: Type.Integer(),
	from_version: nullable(Type.String()),
	to_version: nullable(Type.String()),
	hash: nullable(Type.String()),
	started_at: TimeAnswer,
	changed_at: TimeAnswer,
	finished_at: nullable(TimeAnswer),
	bytes_received: Type.Integer(),
	bytes_total: nullable(Type.Integer()),
	error_code: nullable(Type.String()),
	error: nullable(Type.String()),
	flight_record: nullable(FlightRecordAnswer),
});

export interface DeviceFacts {
	readonly status: DeviceStatusRow | undefined;
	readonly tags: readonly string[] | undefined;
}

export function deviceAnswer(row: DeviceRow, { status, tags }: DeviceFacts) {
	return {
		device_id: row.device_id,
		device_type: row.device_type,
		chip: row.chip ?? status?.chip ?? null,
		state: row.decommissioned_at_ms === null ? "active" : "decommissioned",
		decommissioned_at: timeOf(row.decommissioned_at_ms),
		group: row.group_name,
		tags: tags ?? [],
		channel: row.channel,
		time_zone: row.time_zone,
		note: row.note,
		key: row.device_key === null ? "derived" : "imported",
		key_generation: row.key_generation,
		is_legacy: row.is_legacy === 1,
		version: status?.version ?? null,
		fota_state: status?.state ?? null,
		last_seen: timeOf(row.last_seen_at_ms),
		registered_at: timeOf(row.created_at_ms),
	};
}

export function slotAnswer({ slot, version, hash, state, seen_at_ms }: DeviceSlotRow) {
	return { slot, version, hash, state, seen_at: timeOf(seen_at_ms) };
}

export function flightRecordAnswer(row: UpdateRow) {
	if (row.flight_record === null) return null;
	const record = JSON.parse(row.flight_record) as Record<string, unknown>;
	return { update_id: row.id, at: timeOf(row.finished_at_ms), ...record };
}

export function updateAnswer(row: UpdateRow) {
	return {
		id: row.id,
		device_id: row.device_id,
		release_id: row.release_id,
		rollout_id: row.rollout_id,
		wave: row.wave,
		status: row.status,
		attempt: row.attempt,
		from_version: row.from_version,
		to_version: row.to_version,
		hash: row.hash,
		started_at: timeOf(row.started_at_ms),
		changed_at: timeOf(row.changed_at_ms),
		finished_at: timeOf(row.finished_at_ms),
		bytes_received: row.bytes_received,
		bytes_total: row.bytes_total,
		error_code: row.error_code,
		error: row.error_message,
		flight_record: flightRecordAnswer(row),
	};
}
