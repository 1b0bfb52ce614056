// The last report of a device has its nonce, so that one which was held up does not take its place.
import type { Migration } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

const COLUMN = "nonce";

async function up(db: Schema): Promise<void> {
	await db.schema.alterTable("device_status").addColumn(COLUMN, columnsOf(db).integer).execute();
}

async function down(db: Schema): Promise<void> {
	await db.schema.alterTable("device_status").dropColumn(COLUMN).execute();
}

export const reportOrderMigration: Migration = { up, down };
