// Set-up of the vitest project "postgres", in which the server's tests run a second time: one cluster for all files.
import type { TestProject } from "vitest/node";
import { openDatabase } from "../../server/stores/database.js";
import { migrateToLatest } from "../../server/stores/migrate.js";
import { makeDatabase, startTestPostgres } from "./postgres.js";

/** Migrated and empty; a test's database is a copy of it. */
export const TEMPLATE = "fota_template";

declare module "vitest" {
	interface ProvidedContext {
		/** Undefined in the other projects: there the server's tests are on SQLite. */
		postgresUrl: string | undefined;
	}
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
	const postgres = await startTestPostgres();
	const db = openDatabase(await makeDatabase(postgres.url, TEMPLATE));
	await migrateToLatest(db);
	await db.destroy();
	project.provide("postgresUrl", postgres.url);
	return () => postgres.stop();
}
