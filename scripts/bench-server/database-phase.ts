// SQLite against PostgreSQL, and one process on PostgreSQL against two that share it: polls and reports a second, the load
// spread over both. Called by bench-server.ts.
import { join } from "node:path";
import { type Postgres, startPostgres } from "../system-programs/postgres.js";
import { MissingProgram } from "../system-programs/program.js";
import { type Bench, type Fleet, type Site, say } from "./bench.js";
import { fillDatabase } from "./fleet.js";
import { CONNECTIONS } from "./fleet-phase.js";
import type { LoadKind } from "./load.js";
import { compare, requestsPerSecond } from "./rounds.js";
import type { Row } from "./table.js";

const WORDS = { polls: "polls/s", reports: "reports/s" } as const;

export async function measureDatabases(bench: Bench, sqlite: Site): Promise<Row[]> {
	const postgres = await postgresOf(bench);
	if (postgres instanceof MissingProgram)
		return [{ label: "PostgreSQL against SQLite, two processes against one", leftOut: postgres.message }];
	say(`PostgreSQL ${postgres.version}: two servers …`);
	const urls = await startServers(bench, postgres, sqlite.fleet);
	const rows: Row[] = [];
	for (const kind of ["polls", "reports"] as const) {
		say(`${kind}: SQLite, PostgreSQL with one process and with two …`);
		rows.push(...(await measureKind(bench, { kind, sqlite, urls })));
	}
	return rows;
}

async function measureKind(
	bench: Bench,
	options: {
		readonly kind: LoadKind & keyof typeof WORDS;
		readonly sqlite: Site;
		readonly urls: readonly string[];
	},
): Promise<Row[]> {
	const { kind, sqlite, urls } = options;
	const fleet = { ...sqlite.fleet, first: 0 };
	const samples = await bench.rounds({
		connectionCount: CONNECTIONS,
		contenders: {
			sqlite: { kind, urls: [sqlite.server.url], fleet },
			one: { kind, urls: urls.slice(0, 1), fleet },
			two: { kind, urls, fleet },
		},
	});
	const word = WORDS[kind];
	return [
		{
			label: `${word}, PostgreSQL against SQLite`,
			...compare(samples, ["one", "sqlite"], requestsPerSecond),
		},
		{ label: `${word}, two processes against one`, ...compare(samples, ["two", "one"], requestsPerSecond) },
	];
}

async function postgresOf(bench: Bench): Promise<Postgres | MissingProgram> {
	try {
		const postgres = await startPostgres({ parentFolder: bench.folder });
		bench.endWith(() => postgres.stop());
		return postgres;
	} catch (error) {
		if (error instanceof MissingProgram) return error;
		throw error;
	}
}

/** Two on one database; their images are in one folder, as on one machine. Returns their URLs. */
async function startServers(bench: Bench, { url: databaseUrl }: Postgres, fleet: Fleet): Promise<string[]> {
	const dataFolder = join(bench.folder, "shared");
	const first = await bench.server({ dataFolder, databaseUrl });
	const second = await bench.server({ dataFolder, databaseUrl });
	await bench.release.publish(first.url);
	say(`PostgreSQL: ${await fillDatabase(databaseUrl, [fleet])}`);
	return [first.url, second.url];
}
