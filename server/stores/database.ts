// Opens the database for Kysely: SQLite (libsql) by default, PostgreSQL where a URL names one. Made by app.ts only; the
// migrations are migrate.ts. The stores are written once for both, and ask kindOf() only where SQL has no common way.
import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely, PostgresAdapter, PostgresDialect, type SqliteDatabase, SqliteDialect } from "kysely";
import Database from "libsql";
import pg from "pg";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { Records, Tables } from "./tables.js";

export type DatabaseKind = "sqlite" | "postgres";

/** The path of a database that is kept nowhere. */
export const IN_MEMORY = ":memory:";

/** What a database URL begins with; anything else is the path of a SQLite file. */
const POSTGRES_URL = /^postgres(ql)?:\/\//;
const BUSY_TIMEOUT_MS = 5000;
/** A process's share of the server's connections (PostgreSQL: max_connections, 100 by default). */
const POOL_MAX = 10;
/** How long a request waits for a connection, and one statement or an idle transaction may take, before it is given up. */
const CONNECT_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 15_000;
const INT8_OID = 20;

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
		dialect: new SqliteDialect({ database: database as unknown as SqliteDatabase }),
	});
}

function openPostgres(url: string): Records {
	const pool = new pg.Pool({
		connectionString: url,
		max: POOL_MAX,
		connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
		statement_timeout: STATEMENT_TIMEOUT_MS,
		idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
		application_name: "fota-server",
		// Threat: a server that went away without a word (power, network) would hold requests until TCP gives up.
		query_timeout: 2 * STATEMENT_TIMEOUT_MS,
		types: { getTypeParser: typeParser },
	});
	// An idle connection that breaks is replaced at the next query; unheard, the event would end the process.
	pool.on("error", () => {});
	return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

// Counts, ids, nonces and times stay below 2^53, so they are numbers as in SQLite.
function typeParser(oid: number, format?: "text" | "binary") {
	return oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format as "text");
}
