// Users, their sessions, API tokens, log-in attempts, the audit log, and what all servers on a database agree on.
import { type Migration, sql } from "kysely";
import { columnsOf, type Schema } from "./columns.js";

async function up(db: Schema): Promise<void> {
	await createUsers(db);
	await createTokens(db);
	await createAuditLog(db);
	const { text } = columnsOf(db);
	await db.schema
		.createTable("server_facts")
		.addColumn("name", text, (column) => column.notNull().primaryKey())
		.addColumn("value", text, (column) => column.notNull())
		.execute();
	// For the removal of old lines, and for pages by time.
	await db.schema.createIndex("events_by_time").on("events").columns(["log", "at_ms", "id"]).execute();
}

async function createUsers(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("users")
		.addColumn("id", id, asId)
		.addColumn("name", text, (column) => column.notNull().unique())
		.addColumn("password_hash", text, (column) => column.notNull())
		.addColumn("role", text, (column) => column.notNull().check(sql`role in ('viewer', 'operator', 'admin')`))
		.addColumn("is_active", integer, (column) => column.notNull())
		.addColumn("must_change_password", integer, (column) => column.notNull())
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.addColumn("updated_at_ms", integer, (column) => column.notNull())
		.addColumn("last_login_at_ms", integer)
		.execute();
	await db.schema
		.createTable("sessions")
		.addColumn("id", text, (column) => column.notNull().primaryKey())
		.addColumn("user_id", integer, (column) => column.notNull().references("users.id"))
		.addColumn("token_hash", text, (column) => column.notNull())
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.addColumn("expires_at_ms", integer, (column) => column.notNull())
		.addColumn("revoked_at_ms", integer)
		.execute();
	await db.schema.createIndex("sessions_by_user").on("sessions").column("user_id").execute();
	await db.schema.createIndex("sessions_by_end").on("sessions").column("expires_at_ms").execute();
	await db.schema
		.createTable("login_attempts")
		.addColumn("key", text, (column) => column.notNull().primaryKey())
		.addColumn("attempt_count", integer, (column) => column.notNull())
		.addColumn("window_started_at_ms", integer, (column) => column.notNull())
		.execute();
	await db.schema
		.createIndex("login_attempts_by_time")
		.on("login_attempts")
		.column("window_started_at_ms")
		.execute();
}

async function createTokens(db: Schema): Promise<void> {
	const { asId, id, integer, text } = columnsOf(db);
	await db.schema
		.createTable("api_tokens")
		.addColumn("id", id, asId)
		.addColumn("name", text, (column) => column.notNull().unique())
		.addColumn("token_hash", text, (column) => column.notNull().unique())
		.addColumn("role", text, (column) => column.notNull().check(sql`role in ('viewer', 'operator', 'admin')`))
		.addColumn("created_by", text, (column) => column.notNull())
		.addColumn("created_at_ms", integer, (column) => column.notNull())
		.addColumn("expires_at_ms", integer, (column) => column.notNull())
		.addColumn("last_used_at_ms", integer)
		.execute();
}

async function createAuditLog(db: Schema): Promise<void> {
	const { integer, text } = columnsOf(db);
	await db.schema
		.createTable("audit_log")
		// Given by the chain, not by the database: no number is left out.
		.addColumn("id", integer, (column) => column.notNull().primaryKey())
		.addColumn("at_ms", integer, (column) => column.notNull())
		.addColumn("actor", text, (column) => column.notNull())
		.addColumn("role", text)
		.addColumn("action", text, (column) => column.notNull())
		.addColumn("target", text)
		.addColumn("details", text, (column) => column.notNull())
		.addColumn("request_id", text)
		.addColumn("address", text)
		.addColumn("previous_hash", text, (column) => column.notNull())
		.addColumn("hash", text, (column) => column.notNull())
		.execute();
	for (const column of ["actor", "action", "target"] as const)
		await db.schema.createIndex(`audit_log_by_${column}`).on("audit_log").columns([column, "id"]).execute();
}

async function down(db: Schema): Promise<void> {
	await db.schema.dropIndex("events_by_time").execute();
	for (const table of ["server_facts", "audit_log", "api_tokens", "login_attempts", "sessions", "users"])
		await db.schema.dropTable(table).execute();
}

export const accessMigration: Migration = { up, down };
