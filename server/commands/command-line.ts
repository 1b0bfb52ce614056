// The server program's commands beside serving: `backup`, `restore`, `migrate`. Called by main.ts with its arguments.
import { access } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FotaError } from "../../src/protocol/error-codes.js";
import { DATABASE_FILE, LOCK_FILE } from "../open-stores.js";
import type { Settings } from "../settings.js";
import { openDatabase } from "../stores/database.js";
import { listMigrations, migrateDown, migrateToLatest, newerMigrations } from "../stores/migrate.js";
import { takeServerLock } from "../stores/server-lock.js";
import type { Records } from "../stores/tables.js";
import { backUp } from "./backup.js";
import { restore } from "./restore.js";

const USAGE =
	"usage: npm run server -- backup FOLDER [--with-secrets] | restore FOLDER | migrate up|down|status (without one: serve)";

const HELP = `Usage: npm run server -- COMMAND

Without a command the server serves. Settings come from the environment, the same for all (docs/operation.md).

  backup FOLDER [--with-secrets]   a copy of database and images, while the server serves; with --with-secrets also
                                   what no copy can be read without
  restore FOLDER                   from such a copy, into an empty place, while no server runs
  migrate status                   which migrations the database has
  migrate up                       makes the missing ones, as the server does when it starts
  migrate down                     takes the last one back, with what only it holds; while no server runs`;

const DIRECTIONS = ["up", "down", "status"];

export interface CommandOptions {
	readonly settings: Settings;
	readonly say: (line: string) => void;
}

/** Throws `request-malformed` for arguments that are no command. */
export async function runCommand(words: readonly string[], options: CommandOptions): Promise<void> {
	const { positionals, values } = parse(words);
	if (values.help || positionals[0] === "help") return options.say(HELP);
	const [command, argument, ...rest] = positionals;
	if (argument === undefined || rest.length > 0) throw new FotaError("request-malformed", USAGE);
	const isWithSecrets = values["with-secrets"] ?? false;
	if (isWithSecrets && command !== "backup") throw new FotaError("request-malformed", USAGE);
	if (command === "backup") {
		await refuseMissingDatabase(options.settings);
		return backUp({ ...options, folder: argument, isWithSecrets });
	}
	if (command === "restore") return restore({ ...options, folder: argument });
	if (command === "migrate") return migrate(argument, options);
	throw new FotaError("request-malformed", USAGE);
}

function parse(words: readonly string[]) {
	try {
		const options = { "with-secrets": { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;
		return parseArgs({ args: [...words], options, allowPositionals: true });
	} catch (cause) {
		throw new FotaError("request-malformed", USAGE, { cause });
	}
}

/** The usual reason is a variable that was set for the server alone. */
async function refuseMissingDatabase({ app }: Settings): Promise<void> {
	if (app.databaseUrl !== undefined) return;
	const path = join(app.dataDirectory, DATABASE_FILE);
	const isThere = await access(path).then(
		() => true,
		() => false,
	);
	if (!isThere)
		throw new FotaError(
			"request-malformed",
			`there is no database ${path}; set FOTA_DATA or DATABASE_URL as for the server`,
		);
}

async function migrate(direction: string, { settings, say }: CommandOptions): Promise<void> {
	if (!DIRECTIONS.includes(direction)) throw new FotaError("request-malformed", USAGE);
	await refuseMissingDatabase(settings);
	const { databaseUrl, dataDirectory } = settings.app;
	const isChange = direction !== "status";
	// Threat: a table that goes away under the server. PostgreSQL may have several, which nobody knows here.
	const isAlone = isChange && databaseUrl === undefined;
	const releaseLock = isAlone ? takeServerLock(join(dataDirectory, LOCK_FILE)) : () => {};
	const db = openDatabase(databaseUrl ?? join(dataDirectory, DATABASE_FILE));
	try {
		if (isChange) await sayChange(direction, db, say);
		await sayStatus(db, say);
	} finally {
		await db.destroy();
		releaseLock();
	}
}

async function sayChange(direction: string, db: Records, say: (line: string) => void): Promise<void> {
	const names = direction === "up" ? await migrateToLatest(db) : await migrateDown(db);
	const done = direction === "up" ? "made" : "taken back";
	say(names.length === 0 ? "nothing to do" : `${done}: ${names.join(", ")}`);
}

async function sayStatus(db: Records, say: (line: string) => void): Promise<void> {
	for (const { name, executedAt } of await listMigrations(db))
		say(`${name}  ${executedAt === undefined ? "missing" : `since ${executedAt.toISOString()}`}`);
	for (const name of await newerMigrations(db)) say(`${name}  of a newer server`);
}
