// Releases in channels, with notes and a mark for security fixes; what devices say of their build; when a device
// without a MAC was last written to the security log.
import { type Migration, sql } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

const RELEASE_COLUMNS = ["channel", "notes", "is_security_fix", "published_at_ms"];
const DEVICE_COLUMNS = ["build_number", "build_version", "legacy_noted_at_ms"];
const INDEXES = ["releases_by_type", "devices_legacy"];

// One column a statement: SQLite adds no more at a time.
async function up(db: Schema): Promise<void> {
	const { integer, text } = columnsOf(db);
	const releases = () => db.schema.alterTable("releases");
	await releases()
		.addColumn("channel", text, (column) => column.notNull().defaultTo("stable"))
		.execute();
	await releases().addColumn("notes", text).execute();
	await releases()
		.addColumn("is_security_fix", integer, (column) => column.notNull().defaultTo(0))
		.execute();
	await releases().addColumn("published_at_ms", integer).execute();
	// Until now each upload was given to devices at once.
	await sql`update releases set published_at_ms = created_at_ms`.execute(db);
	const devices = () => db.schema.alterTable("devices");
	for (const name of ["build_number", "legacy_noted_at_ms"])
		await devices().addColumn(name, integer).execute();
	await devices().addColumn("build_version", text).execute();
	await db.schema.createIndex("releases_by_type").on("releases").columns(["device_type", "id"]).execute();
	await db.schema
		.createIndex("devices_legacy")
		.on("devices")
		.column("device_type")
		.where(sql.ref("is_legacy"), "=", sql.lit(1))
		.execute();
}

async function down(db: Schema): Promise<void> {
	for (const index of INDEXES) await db.schema.dropIndex(index).execute();
	for (const column of RELEASE_COLUMNS) await db.schema.alterTable("releases").dropColumn(column).execute();
	for (const column of DEVICE_COLUMNS) await db.schema.alterTable("devices").dropColumn(column).execute();
}

export const releasesMigration: Migration = { up, down };
