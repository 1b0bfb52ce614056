// Changes a database between two queries of the code under test: what it read before is stale from then on.
import type { KyselyPlugin } from "kysely";
import { expect } from "vitest";
import type { Records } from "../../../server/stores/tables.js";
import { databaseKind } from "../test-database.js";

export interface ChangedDatabase {
	/** The same database, for the code under test. */
	readonly db: Records;
	/** The change was made, and is through. */
	end(): Promise<void>;
}

/** `change` is done behind the first answer with such a row; on SQLite in one transaction, or the code comes in between. */
export function changeBehind(
	db: Records,
	isRow: (row: Readonly<Record<string, unknown>>) => boolean,
	change: () => Promise<unknown>,
): ChangedDatabase {
	let changed: Promise<unknown> | undefined;
	const between: KyselyPlugin = {
		transformQuery: ({ node }) => node,
		async transformResult({ result }) {
			if (!result.rows.some(isRow)) return result;
			changed ??= change();
			// SQLite has one connection, which is this query's until it returns; the change is next.
			if (databaseKind === "PostgreSQL") await changed;
			return result;
		},
	};
	return {
		db: db.withPlugin(between),
		async end() {
			expect(changed).toBeDefined();
			await changed;
		},
	};
}
