// Claims of images that are being kept or removed.
import type { Migration } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

async function up(db: Schema): Promise<void> {
	const { integer, text } = columnsOf(db);
	await db.schema
		.createTable("image_claims")
		.addColumn("id", text, (column) => column.primaryKey())
		.addColumn("hash", text, (column) => column.notNull())
		.addColumn("is_removal", integer, (column) => column.notNull())
		.addColumn("until_ms", integer, (column) => column.notNull())
		.execute();
}

async function down(db: Schema): Promise<void> {
	await db.schema.dropTable("image_claims").execute();
}

export const imageClaimsMigration: Migration = { up, down };
