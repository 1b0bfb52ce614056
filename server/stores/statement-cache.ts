// Keeps the prepared statements of a SQLite database: to prepare one costs as much as to run it, and a fleet asks the same few
// all the time. Used by database.ts; it stands between Kysely, which prepares each anew, and libsql.
import type { SqliteDatabase } from "kysely";

/** As libsql has it. */
export type LibsqlDatabase = SqliteDatabase & { readonly inTransaction: boolean };
type Statement = ReturnType<SqliteDatabase["prepare"]>;

/** Statements that are kept, some 10 kB each; those that were unused longest are forgotten first. */
const KEPT_MAX = 200;
/** What changes no table. Anything else may change what the kept ones mean. */
const IS_KEPT = /^\s*(select|insert|update|delete|with|begin|commit|rollback)\b/i;
/** Kysely's, at the end of a transaction that failed. */
const ROLLBACK = "rollback";

/**
 * A statement is run to its end before the next one begins (Kysely has one connection, and nothing here reads row by row), so
 * none is used twice at a time.
 */
export function keepStatements(database: LibsqlDatabase): SqliteDatabase {
	/** In the order of their last use. */
	const kept = new Map<string, Statement>();
	return {
		close: () => {
			kept.clear();
			intoOneFile(database);
			database.close();
		},
		prepare(text) {
			if (!IS_KEPT.test(text)) {
				// After a migration `select *` has other columns.
				kept.clear();
				return database.prepare(text);
			}
			const statement = kept.get(text) ?? database.prepare(text);
			kept.delete(text);
			kept.set(text, statement);
			const [oldest] = kept.keys();
			if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
			return text === ROLLBACK ? rollbackOf(database, statement) : statement;
		},
	};
}

// libsql leaves the write-ahead log behind: whoever takes the file alone would take half a database.
function intoOneFile(database: LibsqlDatabase): void {
	try {
		database.prepare("pragma wal_checkpoint(truncate)").all([]);
	} catch {
		// A full disk. Nothing is lost while both files stay together.
	}
}

// After some failures (a full disk, a disk that fails) SQLite has rolled back by itself. To be told that there is nothing to
// roll back would stand in the place of the failure.
function rollbackOf(database: LibsqlDatabase, statement: Statement): Statement {
	return {
		reader: statement.reader,
		all: (parameters) => statement.all(parameters),
		iterate: (parameters) => statement.iterate(parameters),
		run: (parameters) =>
			database.inTransaction ? statement.run(parameters) : { changes: 0, lastInsertRowid: 0 },
	};
}
