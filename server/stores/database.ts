// Opens the database for Kysely: SQLite (libsql) by default, PostgreSQL where a URL names one. Made by app.ts only; the
// migrations are migrate.ts. The stores are written once for both, and ask kindOf() only where SQL has no common way.
import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely, PostgresAdapter, PostgresDialect, type PostgresPool, SqliteDialect } from "kysely";
import Database from "libsql";
import { FotaError } from "../../src/protocol/error-codes.js";
import { createPostgresPool, type GuardedPool, type PoolCounts } from "./postgres-pool.js";
import { keepStatements, type LibsqlDatabase } from "./statement-cache.js";
import type { Records, Tables } from "./tables.js";

export type DatabaseKind = "sqlite" | "postgres";

/** The path of a database that is kept nowhere. */
export const IN_MEMORY = ":memory:";

/** What a database URL begins with; anything else is the path of a SQLite file. */
const POSTGRES_URL = /^postgres(ql)?:\/\//;
const BUSY_TIMEOUT_MS = 5000;

/**
 * Opens a database file, made if missing, a database in memory for {@link IN_MEMORY}, or the PostgreSQL database of a
 * URL (`postgres://user:password@host:port/name?sslmode=…`), which is first reached by the first query.
 *
 * A commit is on the disk before it is acknowledged (SQLite: synchronous = FULL; PostgreSQL: synchronous_commit, on by
 * default): an accepted report and a used nonce survive a power cut of the server. Throws `server-failed` when the file
 * is no database, and what the system says when this user may not write it.
 */
export function openDatabase(location: string): Records {
	if (isPostgresUrl(location)) return openPostgres(location);
	if (location !== IN_MEMORY) checkAccess(location);
	try {
		return openSqlite(location);
	} catch (cause) {
		const reason = (cause as Error).message;
		throw new FotaError("server-failed", `the database ${location} cannot be opened: ${reason}`, { cause });
	}
}

export function isPostgresUrl(location: string): boolean {
	return POSTGRES_URL.test(location);
}

export function kindOf(db: Pick<Records, "getExecutor">): DatabaseKind {
	return db.getExecutor().adapter instanceof PostgresAdapter ? "postgres" : "sqlite";
}

// SQLite opens a file that it may only read as well, and would fail at the first report.
function checkAccess(path: string): void {
	accessSync(dirname(path), constants.W_OK | constants.X_OK);
	if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
}

function openSqlite(path: string): Records {
	const database = new Database(path);
	database.pragma("journal_mode = WAL");
	database.pragma("synchronous = FULL");
	database.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
	database.pragma("foreign_keys = ON");
	return new Kysely<Tables>({
		dialect: new SqliteDialect({ database: keepStatements(database as unknown as LibsqlDatabase) }),
	});
}

/** Of the databases that are PostgreSQL. */
const pools = new WeakMap<object, { readonly pool: GuardedPool; readonly url: string }>();

function openPostgres(url: string, options: { readonly hasTimeLimits?: boolean } = {}): Records {
	const pool = createPostgresPool(url, options);
	const db = new Kysely<Tables>({
		dialect: new PostgresDialect({ pool: pool as unknown as PostgresPool }),
	});
	pools.set(db, { pool, url });
	return db;
}

/** Connections to PostgreSQL; undefined for SQLite. */
export function poolCountsOf(db: Records): PoolCounts | undefined {
	return pools.get(db)?.pool.counts();
}

/**
 * Carries the task out over a connection of its own where a statement may take as long as it does: for what rewrites or
 * indexes a large table, or waits for a server that does. SQLite has no such limits.
 */
export async function withoutTimeLimits<T>(db: Records, task: (db: Records) => Promise<T>): Promise<T> {
	const url = pools.get(db)?.url;
	if (url === undefined) return task(db);
	const patient = openPostgres(url, { hasTimeLimits: false });
	try {
		return await task(patient);
	} finally {
		await patient.destroy();
	}
}
