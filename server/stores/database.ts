// Opens the SQLite database (libsql) for Kysely and brings its tables up to date. Made by app.ts only.
import { Kysely, type Migration, Migrator, type SqliteDatabase, SqliteDialect } from "kysely";
import Database from "libsql";
import { FotaError } from "../../src/protocol/error-codes.js";
import { initialMigration } from "./migrations/0001-initial.js";
import type { Records, Tables } from "./tables.js";

/** In the order in which they run; a name is never changed once released. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
	"0001-initial": initialMigration,
};

const BUSY_TIMEOUT_MS = 5000;

/**
 * Opens a database file, made if missing, or a database in memory for ":memory:". A commit is on the disk before it is
 * acknowledged (synchronous = FULL): an accepted report and a used nonce survive a power cut of the server.
 */
export function openDatabase(path: string): Records {
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
	finish(await migratorOf(db).migrateToLatest());
}

/** Undoes the last migration, its rows with it. Throws `server-failed`. */
export async function migrateDown(db: Records): Promise<void> {
	finish(await migratorOf(db).migrateDown());
}

function migratorOf(db: Records): Migrator {
	return new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
}

function finish(outcome: { readonly error?: unknown }): void {
	if (outcome.error !== undefined)
		throw new FotaError("server-failed", "database migration failed", { cause: outcome.error });
}
