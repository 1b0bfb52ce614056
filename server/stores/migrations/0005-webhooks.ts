// Webhooks and their deliveries; what readiness writes; indexes for what metrics count.
import type { Migration } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

async function up(db: Schema): Promise<void> {
	await createWebhooks(db);
	await createDeliveries(db);
	const { integer } = columnsOf(db);
	await db.schema
		.createTable("readiness")
		.addColumn("id", integer, (column) => column.primaryKey())
		.addColumn("checked_at_ms", integer, (column) => column.notNull())
		.execute();
	await db.schema
		.createIndex("device_status_by_type_version")
		.on("device_status")
		.columns(["device_type", "version"])
		.execute();
}

async function createWebhooks(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("webhooks")
		.addColumn("id", id, asId)
		.addColumn("url", text, (column) => column.notNull())
		.addColumn("description", text)
		.addColumn("log", text)
		.addColumn("types", text)
		.addColumn("device_id", text)
		.addColumn("salt", text, (column) => column.notNull())
		.addColumn("previous_salt", text)
		.addColumn("previous_until_ms", integer)
		.addColumn("is_active", integer, (column) => column.notNull())
		.addColumn("last_event_id", integer, (column) => column.notNull())
		.addColumn("failing_since_ms", integer)
		.addColumn("deactivated_reason", text)
		.addColumn("created_by", text, (column) => column.notNull())
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.addColumn("updated_at_ms", integer, (column) => column.notNull())
		.execute();
}

async function createDeliveries(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("webhook_deliveries")
		.addColumn("id", id, asId)
		.addColumn("webhook_id", integer, (column) => column.notNull().references("webhooks.id"))
		.addColumn("message_id", text, (column) => column.notNull())
		.addColumn("event_id", integer)
		.addColumn("type", text, (column) => column.notNull())
		.addColumn("body", text, (column) => column.notNull())
		.addColumn("status", text, (column) => column.notNull())
		.addColumn("attempts", integer, (column) => column.notNull().defaultTo(0))
		.addColumn("next_try_at_ms", integer)
		.addColumn("response_status", integer)
		.addColumn("duration_ms", integer)
		.addColumn("error", text)
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.addColumn("finished_at_ms", integer)
		.addUniqueConstraint("webhook_deliveries_event_unique", ["webhook_id", "event_id"])
		.execute();
	await db.schema
		.createIndex("webhook_deliveries_due")
		.on("webhook_deliveries")
		.columns(["webhook_id", "status", "next_try_at_ms"])
		.execute();
	await db.schema
		.createIndex("webhook_deliveries_by_webhook")
		.on("webhook_deliveries")
		.columns(["webhook_id", "id"])
		.execute();
	await db.schema
		.createIndex("webhook_deliveries_by_age")
		.on("webhook_deliveries")
		.column("finished_at_ms")
		.execute();
}

async function down(db: Schema): Promise<void> {
	await db.schema.dropIndex("device_status_by_type_version").execute();
	for (const table of ["readiness", "webhook_deliveries", "webhooks"])
		await db.schema.dropTable(table).execute();
}

export const webhooksMigration: Migration = { up, down };
