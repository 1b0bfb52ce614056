// Opens the SQLite database (libsql) for Kysely and brings its tables up to date. Made by app.ts only.
import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely, type Migration, Migrator, type SqliteDatabase, SqliteDialect, sql } from "kysely";
import Database from "libsql";
import { FotaError } from "../../src/protocol/error-codes.js";
import { initialMigration } from "./migrations/0001-initial.js";
import type { Records, Tables } from "./tables.js";

/** In the order in which they run; a name is never changed once released. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
	"0001-initial": initialMigration,
};

/** The path of a database that is kept nowhere. */
export const IN_MEMORY = ":memory:";
const BUSY_TIMEOUT_MS = 5000;

/**
 * Opens a database file, made if missing, or a database in memory for {@link IN_MEMORY}. A commit is on the disk before it is
 * acknowledged (synchronous = FULL): an accepted report and a used nonce survive a power cut of the server. Throws
 * `server-failed` when the file is no database, and what the system says when this user may not write it.
 */
export function openDatabase(path: string): Records {
	if (path !== IN_MEMORY) checkAccess(path);
	try {
		return connect(path);
	} catch (cause) {
		const reason = (cause as Error).message;
		throw new FotaError("server-failed", `the database ${path} cannot be opened: ${reason}`, { cause });
	}
}

// SQLite opens a file that it may only read as well, and would fail at the first report.
function checkAccess(path: string): void {
	accessSync(dirname(path), constants.W_OK | constants.X_OK);
	if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
}

function connect(path: string): Records {
	const database = new Database(path);
	database.pragma("journal_mode = WAL");
	database.pragma("synchronous = FULL");
	database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
	database.pragma("foreign_keys = ON");
	return new Kysely<Tables>({
		dialect: new SqliteDialect({ database: database as unknown as SqliteDatabase }),
	});
}

/** Runs the migrations that are missing. Throws `server-failed` when one fails or the database is of a newer server. */
export async function migrateToLatest(db: Records): Promise<void> {
	await refuseNewer(db);
	finish(await migratorOf(db).migrateToLatest());
}

/** Undoes the last migration, its rows with it. Throws `server-failed`. */
export async function migrateDown(db: Records): Promise<void> {
	finish(await migratorOf(db).migrateDown());
}

function migratorOf(db: Records): Migrator {
	return new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
}

// Kysely refuses it as well, but calls it corrupted.
async function refuseNewer(db: Records): Promise<void> {
	const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
	if (!tables.some(({ name }) => name === "kysely_migration")) return;
	const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(db);
	const later = rows.find(({ name }) => !Object.hasOwn(MIGRATIONS, name));
	if (later === undefined) return;
	throw new FotaError(
		"server-failed",
		`the database is of a newer server (it has "${later.name}"), which must be used on; to go back to this one, ` +
			"restore a backup from before the newer server was started",
	);
}

function finish(outcome: { readonly error?: unknown }): void {
	if (outcome.error === undefined) return;
	const reason = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
	throw new FotaError("server-failed", `database migration failed: ${reason}`, { cause: outcome.error });
}
