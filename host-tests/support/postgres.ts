// The tests' PostgreSQL: its servers, and databases in one.
import { tmpdir } from "node:os";
import pg from "pg";
import { type Postgres, startPostgres } from "../../scripts/system-programs/postgres.js";

/** Nothing is durable: a test's power does not go. Whoever starts it stops it. */
export function startTestPostgres(): Promise<Postgres> {
	return startPostgres({ parentFolder: tmpdir(), settings: ["fsync=off", "max_connections=200"] });
}

/** Makes a database, as a copy of `template` where one is named, and returns its URL. One that exists is kept. */
export async function makeDatabase(serverUrl: string, name: string, template = "template1"): Promise<string> {
	await withClient(serverUrl, async (client) => {
		const found = await client.query("select 1 from pg_database where datname = $1", [name]);
		if (found.rowCount === 0) await client.query(`create database "${name}" template "${template}"`);
	});
	const url = new URL(serverUrl);
	url.pathname = name;
	return url.href;
}

/** Takes all rows out of a migrated database, whose ids begin at 1 again. */
export async function emptyDatabase(url: string): Promise<void> {
	await withClient(url, async (client) => {
		const { rows } = await client.query<{ tablename: string }>(
			"select tablename from pg_tables where schemaname = 'public' and tablename not like 'kysely_%'",
		);
		const names = rows.map(({ tablename }) => `"${tablename}"`).join(", ");
		await client.query(`truncate ${names} restart identity cascade`);
	});
}

async function withClient(url: string, task: (client: pg.Client) => Promise<unknown>): Promise<void> {
	const client = new pg.Client({ connectionString: url });
	await client.connect();
	try {
		await task(client);
	} finally {
		await client.end();
	}
}
