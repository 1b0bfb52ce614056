// Devices by group, tag, state and slot; the history of their updates; rollouts.
import { type Migration, sql } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

async function up(db: Schema): Promise<void> {
	await extendDevices(db);
	await createDeviceDetails(db);
	await createRollouts(db);
	await createRolloutParts(db);
	await createUpdates(db);
	await createTaskTurns(db);
}

const DEVICE_COLUMNS = [
	"decommissioned_at_ms",
	"group_name",
	"channel",
	"time_zone",
	"note",
	"key_generation",
	"withheld_release_id",
];
const DEVICE_INDEXES = ["devices_by_group", "devices_by_type", "devices_by_last_seen"];

// One column a statement: SQLite adds no more at a time.
async function extendDevices(db: Schema): Promise<void> {
	const { integer, text } = columnsOf(db);
	const alter = () => db.schema.alterTable("devices");
	await alter().addColumn("decommissioned_at_ms", integer).execute();
	await alter().addColumn("group_name", text).execute();
	await alter()
		.addColumn("channel", text, (column) => column.notNull().defaultTo("stable"))
		.execute();
	await alter().addColumn("time_zone", text).execute();
	await alter().addColumn("note", text).execute();
	await alter()
		.addColumn("key_generation", integer, (column) => column.notNull().defaultTo(0))
		.execute();
	await alter().addColumn("withheld_release_id", integer).execute();
	await db.schema
		.createIndex("devices_by_group")
		.on("devices")
		.columns(["group_name", "device_id"])
		.execute();
	await db.schema
		.createIndex("devices_by_type")
		.on("devices")
		.columns(["device_type", "device_id"])
		.execute();
	await db.schema.createIndex("devices_by_last_seen").on("devices").columns(["last_seen_at_ms"]).execute();
	await db.schema
		.createIndex("device_status_by_version")
		.on("device_status")
		.columns(["version", "device_id"])
		.execute();
}

async function createDeviceDetails(db: Schema): Promise<void> {
	const { integer, text } = columnsOf(db);
	await db.schema
		.createTable("device_tags")
		.addColumn("device_id", text, (column) => column.notNull().references("devices.device_id"))
		.addColumn("tag", text, (column) => column.notNull())
		.addPrimaryKeyConstraint("device_tags_key", ["device_id", "tag"])
		.execute();
	await db.schema.createIndex("device_tags_by_tag").on("device_tags").columns(["tag", "device_id"]).execute();
	await db.schema
		.createTable("device_slots")
		.addColumn("device_id", text, (column) => column.notNull().references("devices.device_id"))
		.addColumn("slot", text, (column) => column.notNull())
		.addColumn("version", text)
		.addColumn("hash", text)
		.addColumn("state", text, (column) => column.notNull())
		.addColumn("seen_at_ms", integer, (column) => column.notNull())
		.addPrimaryKeyConstraint("device_slots_key", ["device_id", "slot"])
		.execute();
}

async function createRollouts(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("rollouts")
		.addColumn("id", id, asId)
		.addColumn("name", text, (column) => column.notNull())
		.addColumn("release_id", integer, (column) => column.notNull().references("releases.id"))
		.addColumn("device_type", text, (column) => column.notNull())
		.addColumn("chip", text, (column) => column.notNull())
		.addColumn("target", text, (column) => column.notNull())
		.addColumn("plan", text, (column) => column.notNull())
		.addColumn("seed", text, (column) => column.notNull())
		.addColumn("priority", integer, (column) => column.notNull())
		.addColumn("state", text, (column) => column.notNull())
		.addColumn("state_reason", text)
		.addColumn("is_settled", integer, (column) => column.notNull().defaultTo(1))
		.addColumn("wave", integer, (column) => column.notNull().defaultTo(-1))
		.addColumn("wave_opened_at_ms", integer)
		.addColumn("wave_sizes", text)
		.addColumn("counted_at_ms", integer)
		.addColumn("forgiven_finished", integer, (column) => column.notNull().defaultTo(0))
		.addColumn("forgiven_failed", integer, (column) => column.notNull().defaultTo(0))
		.addColumn("created_by", text, (column) => column.notNull())
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.addColumn("updated_at_ms", integer, (column) => column.notNull())
		.addColumn("started_at_ms", integer)
		.addColumn("finished_at_ms", integer)
		.execute();
	await db.schema
		.createIndex("rollouts_by_type")
		.on("rollouts")
		.columns(["device_type", "chip", "created_at_ms"])
		.execute();
	await db.schema.createIndex("rollouts_by_release").on("rollouts").column("release_id").execute();
	await db.schema.createIndex("rollouts_by_state").on("rollouts").columns(["state", "id"]).execute();
}

async function createRolloutParts(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("rollout_targets")
		.addColumn("rollout_id", integer, (column) => column.notNull().references("rollouts.id"))
		.addColumn("device_id", text, (column) => column.notNull())
		.addPrimaryKeyConstraint("rollout_targets_key", ["rollout_id", "device_id"])
		.execute();
	await db.schema
		.createTable("rollout_devices")
		.addColumn("rollout_id", integer, (column) => column.notNull().references("rollouts.id"))
		.addColumn("device_id", text, (column) => column.notNull().references("devices.device_id"))
		.addColumn("wave", integer, (column) => column.notNull())
		.addColumn("status", text, (column) => column.notNull())
		.addColumn("attempts", integer, (column) => column.notNull())
		.addColumn("next_try_at_ms", integer)
		.addColumn("lease_until_ms", integer)
		.addColumn("rollback_order_id", integer)
		.addColumn("offered_at_ms", integer, (column) => column.notNull())
		.addColumn("finished_at_ms", integer)
		.addPrimaryKeyConstraint("rollout_devices_key", ["rollout_id", "device_id"])
		.execute();
	await db.schema
		.createIndex("rollout_devices_by_status")
		.on("rollout_devices")
		.columns(["rollout_id", "status", "wave"])
		.execute();
	await db.schema
		.createIndex("rollout_devices_by_device")
		.on("rollout_devices")
		.column("device_id")
		.execute();
	await db.schema
		.createTable("rollout_events")
		.addColumn("id", id, asId)
		.addColumn("rollout_id", integer, (column) => column.notNull().references("rollouts.id"))
		.addColumn("at_ms", integer, (column) => column.notNull())
		.addColumn("type", text, (column) => column.notNull())
		.addColumn("actor", text, (column) => column.notNull())
		.addColumn("reason", text)
		.addColumn("details", text, (column) => column.notNull())
		.execute();
	await db.schema
		.createIndex("rollout_events_by_rollout")
		.on("rollout_events")
		.columns(["rollout_id", "id"])
		.execute();
}

async function createUpdates(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("updates")
		.addColumn("id", id, asId)
		.addColumn("device_id", text, (column) => column.notNull().references("devices.device_id"))
		.addColumn("release_id", integer, (column) => column.references("releases.id"))
		.addColumn("rollout_id", integer, (column) => column.references("rollouts.id"))
		.addColumn("wave", integer)
		.addColumn("status", text, (column) => column.notNull())
		.addColumn("stage", text)
		.addColumn("attempt", integer, (column) => column.notNull())
		.addColumn("from_version", text)
		.addColumn("to_version", text)
		.addColumn("hash", text)
		.addColumn("bytes_received", integer, (column) => column.notNull().defaultTo(0))
		.addColumn("bytes_total", integer)
		.addColumn("error_code", text)
		.addColumn("error_message", text)
		.addColumn("flight_record", text)
		.addColumn("started_at_ms", integer, (column) => column.notNull())
		.addColumn("changed_at_ms", integer, (column) => column.notNull())
		.addColumn("finished_at_ms", integer)
		.execute();
	await db.schema.createIndex("updates_by_device").on("updates").columns(["device_id", "id"]).execute();
	await db.schema.createIndex("updates_by_release").on("updates").columns(["release_id", "id"]).execute();
	await db.schema.createIndex("updates_by_rollout").on("updates").columns(["rollout_id", "id"]).execute();
	await db.schema.createIndex("updates_by_status").on("updates").columns(["status", "id"]).execute();
	// What has no end yet is looked through for devices that fell silent.
	await db.schema
		.createIndex("updates_open")
		.on("updates")
		.column("changed_at_ms")
		.where(sql.ref("finished_at_ms"), "is", null)
		.execute();
}

async function createTaskTurns(db: Schema): Promise<void> {
	const { integer, text } = columnsOf(db);
	await db.schema
		.createTable("task_turns")
		.addColumn("name", text, (column) => column.primaryKey())
		.addColumn("taken_at_ms", integer, (column) => column.notNull())
		.execute();
}

async function down(db: Schema): Promise<void> {
	for (const table of [
		"task_turns",
		"updates",
		"rollout_events",
		"rollout_devices",
		"rollout_targets",
		"rollouts",
		"device_slots",
		"device_tags",
	])
		await db.schema.dropTable(table).execute();
	await db.schema.dropIndex("device_status_by_version").execute();
	for (const index of DEVICE_INDEXES) await db.schema.dropIndex(index).execute();
	for (const column of DEVICE_COLUMNS) await db.schema.alterTable("devices").dropColumn(column).execute();
}

export const fleetMigration: Migration = { up, down };
