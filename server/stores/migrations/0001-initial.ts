// Releases, devices, their last report, rollback orders and events.
import { type Migration, sql } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

async function up(db: Schema): Promise<void> {
	await createReleases(db);
	await createDevices(db);
	await createDeviceStatus(db);
	await createEvents(db);
}

async function createReleases(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("release_keys")
		.addColumn("key_id", text, (column) => column.primaryKey())
		.addColumn("public_key", text, (column) => column.notNull())
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.execute();
	await db.schema
		.createTable("releases")
		.addColumn("id", id, asId)
		.addColumn("device_type", text, (column) => column.notNull())
		.addColumn("chip", text, (column) => column.notNull())
		.addColumn("version", text, (column) => column.notNull())
		.addColumn("build_number", integer, (column) => column.notNull())
		.addColumn("security_version", integer, (column) => column.notNull())
		.addColumn("size_bytes", integer, (column) => column.notNull())
		.addColumn("hash", text, (column) => column.notNull())
		.addColumn("min_current_version", text)
		.addColumn("released_at", integer, (column) => column.notNull())
		.addColumn("chunk_bytes", integer, (column) => column.notNull())
		.addColumn("description", text)
		.addColumn("statement", text, (column) => column.notNull())
		.addColumn("key_id", text, (column) => column.notNull().references("release_keys.key_id"))
		.addColumn("project_name", text, (column) => column.notNull())
		.addColumn("is_active", integer, (column) => column.notNull())
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.addColumn("updated_at_ms", integer, (column) => column.notNull())
		.addUniqueConstraint("releases_version_unique", ["device_type", "version"])
		.execute();
	await db.schema.createIndex("releases_hash").on("releases").column("hash").execute();
}

async function createDevices(db: Schema): Promise<void> {
	const { integer, text } = columnsOf(db);
	await db.schema
		.createTable("devices")
		.addColumn("device_id", text, (column) => column.primaryKey())
		.addColumn("device_type", text, (column) => column.notNull())
		.addColumn("chip", text)
		.addColumn("device_key", text)
		.addColumn("last_nonce", integer, (column) => column.notNull().defaultTo(0))
		.addColumn("stale_nonce_count", integer, (column) => column.notNull().defaultTo(0))
		.addColumn("offered_release_id", integer, (column) => column.references("releases.id"))
		.addColumn("is_legacy", integer, (column) => column.notNull().defaultTo(0))
		.addColumn("last_seen_at_ms", integer)
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.execute();
	await db.schema
		.createTable("rollback_orders")
		.addColumn("device_id", text, (column) => column.notNull().references("devices.device_id"))
		.addColumn("order_id", integer, (column) => column.notNull())
		.addColumn("reason", text, (column) => column.notNull())
		.addColumn("ordered_at_ms", integer, (column) => column.notNull())
		.addColumn("done_at_ms", integer)
		.addPrimaryKeyConstraint("rollback_orders_key", ["device_id", "order_id"])
		.execute();
}

async function createDeviceStatus(db: Schema): Promise<void> {
	const { integer, text } = columnsOf(db);
	await db.schema
		.createTable("device_status")
		.addColumn("device_id", text, (column) => column.primaryKey().references("devices.device_id"))
		.addColumn("state", text, (column) => column.notNull())
		.addColumn("boot_status", text, (column) => column.notNull())
		.addColumn("device_type", text, (column) => column.notNull())
		.addColumn("chip", text, (column) => column.notNull())
		.addColumn("version", text, (column) => column.notNull())
		.addColumn("slot", text, (column) => column.notNull())
		.addColumn("reset_reason", text, (column) => column.notNull())
		.addColumn("uptime_s", integer, (column) => column.notNull())
		.addColumn("target_version", text)
		.addColumn("target_hash", text)
		.addColumn("chunks_received", integer)
		.addColumn("chunk_count", integer)
		.addColumn("is_verified", integer)
		.addColumn("trial_boots", integer)
		.addColumn("is_rolled_back", integer)
		.addColumn("error_code", text)
		.addColumn("error_message", text)
		.addColumn("reported_at_ms", integer, (column) => column.notNull())
		.addColumn("last_error_code", text)
		.addColumn("last_error_message", text)
		.addColumn("last_error_at_ms", integer)
		.execute();
}

async function createEvents(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("events")
		.addColumn("id", id, asId)
		.addColumn("log", text, (column) => column.notNull().check(sql`log in ('fota', 'security')`))
		.addColumn("at_ms", integer, (column) => column.notNull())
		.addColumn("device_id", text)
		.addColumn("type", text, (column) => column.notNull())
		.addColumn("details", text, (column) => column.notNull())
		.execute();
	await db.schema.createIndex("events_by_device").on("events").columns(["log", "device_id", "id"]).execute();
	await db.schema.createIndex("events_by_type").on("events").columns(["log", "type", "id"]).execute();
}

async function down(db: Schema): Promise<void> {
	for (const table of ["events", "device_status", "rollback_orders", "devices", "releases", "release_keys"]) {
		await db.schema.dropTable(table).execute();
	}
}

export const initialMigration: Migration = { up, down };
