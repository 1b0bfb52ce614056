// An index for the last failure of a device: shown on its page and kept when old updates go, looked for without a walk
// through all its updates.
import { type Migration, sql } from "kysely";
import type { Schema } from "./columns.js";

const NAME = "updates_failed_by_device";

async function up(db: Schema): Promise<void> {
	await db.schema
		.createIndex(NAME)
		.on("updates")
		.columns(["device_id", "id"])
		.where(sql.ref("flight_record"), "is not", sql.lit(null))
		.execute();
}

async function down(db: Schema): Promise<void> {
	await db.schema.dropIndex(NAME).execute();
}

export const failuresMigration: Migration = { up, down };
