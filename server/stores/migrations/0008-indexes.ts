// Indexes for what operators ask of a large fleet: updates by time, the audit log by time, devices out of service.
import { type Migration, sql } from "kysely";
import type { Schema } from "./columns.js";

const NAMES = ["updates_by_start", "audit_log_by_time", "devices_decommissioned"];

async function up(db: Schema): Promise<void> {
	await db.schema.createIndex("updates_by_start").on("updates").columns(["started_at_ms", "id"]).execute();
	await db.schema.createIndex("audit_log_by_time").on("audit_log").columns(["at_ms", "id"]).execute();
	// They are few: the others need no place in it.
	await db.schema
		.createIndex("devices_decommissioned")
		.on("devices")
		.column("device_id")
		.where(sql.ref("decommissioned_at_ms"), "is not", sql.lit(null))
		.execute();
}

async function down(db: Schema): Promise<void> {
	for (const name of NAMES) await db.schema.dropIndex(name).execute();
}

export const indexesMigration: Migration = { up, down };
