// Rollouts know how many devices were gone through to count their waves: many more, for a share of a large fleet, than the
// waves have.
import type { Migration } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

const COLUMN = "counted_device_count";

async function up(db: Schema): Promise<void> {
	await db.schema.alterTable("rollouts").addColumn(COLUMN, columnsOf(db).integer).execute();
}

async function down(db: Schema): Promise<void> {
	await db.schema.alterTable("rollouts").dropColumn(COLUMN).execute();
}

export const countsMigration: Migration = { up, down };
