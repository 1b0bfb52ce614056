// The tables as Kysely sees them; migrations/ make them. Times are Unix milliseconds unless the name says otherwise,
// booleans are 0 and 1 (SQLite has none).
import type { Generated, Insertable, Kysely, Selectable } from "kysely";
import type { Channel } from "../domain/release-channel.js";
import type {
	ApiTokenTable,
	AuditLogTable,
	LoginAttemptTable,
	ServerFactTable,
	SessionTable,
	UserTable,
} from "./access-tables.js";
import type {
	DeviceSlotTable,
	DeviceTagTable,
	RolloutDeviceTable,
	RolloutEventTable,
	RolloutTable,
	RolloutTargetTable,
	TaskTurnTable,
	UpdateTable,
} from "./fleet-tables.js";
import type { ReadinessTable, WebhookDeliveryTable, WebhookTable } from "./webhook-tables.js";

export interface ReleaseTable {
	id: Generated<number>;
	device_type: string;
	chip: string;
	version: string;
	build_number: number;
	security_version: number;
	size_bytes: number;
	/** SHA-256 of the image, hex; its address in the image store. */
	hash: string;
	min_current_version: string | null;
	/** Unix seconds, as signed. */
	released_at: number;
	/** Chunk size for devices that do not ask for one. */
	chunk_bytes: number;
	description: string | null;
	/** Compact JWS, as uploaded. */
	statement: string;
	key_id: string;
	project_name: string;
	is_active: number;
	channel: Generated<Channel>;
	/** What is new, for people. */
	notes: Generated<string | null>;
	is_security_fix: Generated<number>;
	/** When it was last made available: uploaded, issued anew, activated; null if never. */
	published_at_ms: Generated<number | null>;
	created_at_ms: number;
	updated_at_ms: number;
}

export interface ReleaseKeyTable {
	key_id: string;
	/** Uncompressed P-256 point, hex. */
	public_key: string;
	created_at_ms: number;
}

export interface DeviceTable {
	device_id: string;
	device_type: string;
	/** As registered; null when the registration does not say. */
	chip: string | null;
	/** Imported key, hex; null when the key is derived from the master key. */
	device_key: string | null;
	/** Highest nonce accepted so far. */
	last_nonce: Generated<number>;
	/** Stale nonces in a row. */
	stale_nonce_count: Generated<number>;
	/** What the last manifest named: a device that does not name a hash downloads this. */
	offered_release_id: Generated<number | null>;
	/** 1 while the device speaks without a MAC. */
	is_legacy: Generated<number>;
	last_seen_at_ms: Generated<number | null>;
	created_at_ms: number;
	/** As the device last said when it asked for updates … */
	build_number: Generated<number | null>;
	/** … and the version it ran then. */
	build_version: Generated<string | null>;
	/** When its coming without a MAC was last written to the security log. */
	legacy_noted_at_ms: Generated<number | null>;
	/** Null while the device is in service. */
	decommissioned_at_ms: Generated<number | null>;
	group_name: Generated<string | null>;
	channel: Generated<string>;
	/** IANA name; null: the server's default. */
	time_zone: Generated<string | null>;
	note: Generated<string | null>;
	/** How often the derived key was replaced. */
	key_generation: Generated<number>;
	/** A release whose download is to end: its chunks are refused until it is offered again. */
	withheld_release_id: Generated<number | null>;
}

/** The last report of each device. */
export interface DeviceStatusTable {
	device_id: string;
	state: string;
	boot_status: string;
	device_type: string;
	chip: string;
	version: string;
	slot: string;
	reset_reason: string;
	uptime_s: number;
	target_version: string | null;
	target_hash: string | null;
	chunks_received: number | null;
	chunk_count: number | null;
	is_verified: number | null;
	trial_boots: number | null;
	is_rolled_back: number | null;
	error_code: string | null;
	error_message: string | null;
	reported_at_ms: number;
	/** Of the report; null where an old device sent it, without one, or where nonces began anew since. */
	nonce: number | null;
	/** The last error that was reported; stays when later reports have none. */
	last_error_code: string | null;
	last_error_message: string | null;
	last_error_at_ms: number | null;
}

export interface RollbackOrderTable {
	device_id: string;
	order_id: number;
	reason: string;
	ordered_at_ms: number;
	done_at_ms: number | null;
	/** What is to be left; null where it is not known (yet): whatever runs. */
	version: Generated<string | null>;
	hash: Generated<string | null>;
}

/** Of an image that is being kept or removed. */
export interface ImageClaimTable {
	id: string;
	hash: string;
	is_removal: number;
	until_ms: number;
}

export interface EventTable {
	id: Generated<number>;
	log: "fota" | "security";
	at_ms: number;
	device_id: string | null;
	type: string;
	/** JSON object. */
	details: string;
}

export interface Tables {
	releases: ReleaseTable;
	release_keys: ReleaseKeyTable;
	devices: DeviceTable;
	device_status: DeviceStatusTable;
	rollback_orders: RollbackOrderTable;
	events: EventTable;
	users: UserTable;
	sessions: SessionTable;
	api_tokens: ApiTokenTable;
	login_attempts: LoginAttemptTable;
	audit_log: AuditLogTable;
	server_facts: ServerFactTable;
	device_slots: DeviceSlotTable;
	device_tags: DeviceTagTable;
	updates: UpdateTable;
	rollouts: RolloutTable;
	rollout_targets: RolloutTargetTable;
	rollout_devices: RolloutDeviceTable;
	rollout_events: RolloutEventTable;
	task_turns: TaskTurnTable;
	webhooks: WebhookTable;
	webhook_deliveries: WebhookDeliveryTable;
	readiness: ReadinessTable;
	image_claims: ImageClaimTable;
}

/** The database, or a transaction on it. */
export type Records = Kysely<Tables>;
export type ReleaseRow = Selectable<ReleaseTable>;
export type NewReleaseRow = Insertable<ReleaseTable>;
export type DeviceRow = Selectable<DeviceTable>;
export type DeviceStatusRow = Selectable<DeviceStatusTable>;
export type RollbackOrderRow = Selectable<RollbackOrderTable>;
export type EventRow = Selectable<EventTable>;
export type UserRow = Selectable<UserTable>;
export type SessionRow = Selectable<SessionTable>;
export type ApiTokenRow = Selectable<ApiTokenTable>;
export type AuditLogRow = Selectable<AuditLogTable>;
export type DeviceSlotRow = Selectable<DeviceSlotTable>;
export type UpdateRow = Selectable<UpdateTable>;
export type RolloutRow = Selectable<RolloutTable>;
export type RolloutDeviceRow = Selectable<RolloutDeviceTable>;
export type RolloutEventRow = Selectable<RolloutEventTable>;
export type WebhookRow = Selectable<WebhookTable>;
export type WebhookDeliveryRow = Selectable<WebhookDeliveryTable>;
