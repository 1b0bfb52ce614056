// The database of a server under test: SQLite, or PostgreSQL when the tests run in the project "postgres".
import { createHash, randomUUID } from "node:crypto";
import { inject } from "vitest";
import { IN_MEMORY, openDatabase } from "../../server/stores/database.js";
import { migrateToLatest } from "../../server/stores/migrate.js";
import type { Records } from "../../server/stores/tables.js";
import { emptyDatabase, makeDatabase } from "../support/postgres.js";
import { TEMPLATE } from "../support/postgres-project.js";

export interface TestDatabase {
	/** For AppOptions; undefined: SQLite. */
	readonly url: string | undefined;
	/** After the server closed. */
	remove(): Promise<void>;
}

/** The name of the database the tests are on. */
export const databaseKind = inject("postgresUrl") === undefined ? "SQLite" : "PostgreSQL";

/** Emptied and given to the next test: to empty one is ten times as quick as to make one. */
const spareUrls: string[] = [];

/** One of its own, or for the same data folder the same again. */
export async function testDatabase(dataDirectory?: string): Promise<TestDatabase> {
	const serverUrl = inject("postgresUrl");
	if (serverUrl === undefined) return { url: undefined, remove: async () => {} };
	if (dataDirectory !== undefined) {
		const name = `t_${createHash("sha256").update(dataDirectory).digest("hex").slice(0, 32)}`;
		return { url: await makeDatabase(serverUrl, name, TEMPLATE), remove: async () => {} };
	}
	const url = spareUrls.pop() ?? (await makeDatabase(serverUrl, `t_${randomUUID()}`, TEMPLATE));
	return {
		url,
		async remove() {
			await emptyDatabase(url);
			spareUrls.push(url);
		},
	};
}

/** Open, migrated and empty; whoever opens it closes it. */
export async function openTestDatabase(): Promise<{ readonly db: Records; close(): Promise<void> }> {
	const database = await testDatabase();
	const db = openDatabase(database.url ?? IN_MEMORY);
	await migrateToLatest(db);
	return {
		db,
		async close() {
			await db.destroy();
			await database.remove();
		},
	};
}
