// Rollback orders know which firmware is to be left.
import type { Migration } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

async function up(db: Schema): Promise<void> {
	const { text } = columnsOf(db);
	for (const column of ["version", "hash"])
		await db.schema.alterTable("rollback_orders").addColumn(column, text).execute();
}

async function down(db: Schema): Promise<void> {
	for (const column of ["version", "hash"])
		await db.schema.alterTable("rollback_orders").dropColumn(column).execute();
}

export const ordersMigration: Migration = { up, down };
