// Brings the tables of a database up to date, or a step back. Called by app.ts at every start and by `fota-server
// migrate`; several servers may start at once (Kysely holds the others back on PostgreSQL).
import { type Migration, type MigrationResultSet, Migrator, sql } from "kysely";
import { FotaError } from "../../src/protocol/error-codes.js";
import { withoutTimeLimits } from "./database.js";
import { initialMigration } from "./migrations/0001-initial.js";
import { accessMigration } from "./migrations/0002-access.js";
import { releasesMigration } from "./migrations/0003-releases.js";
import { fleetMigration } from "./migrations/0004-fleet.js";
import { webhooksMigration } from "./migrations/0005-webhooks.js";
import { ordersMigration } from "./migrations/0006-orders.js";
import { imageClaimsMigration } from "./migrations/0007-image-claims.js";
import { indexesMigration } from "./migrations/0008-indexes.js";
import { failuresMigration } from "./migrations/0009-failures.js";
import { countsMigration } from "./migrations/0010-counts.js";
import { reportOrderMigration } from "./migrations/0011-report-order.js";
import type { Records } from "./tables.js";

/** In the order in which they run; a name is never changed once released. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
	"0001-initial": initialMigration,
	"0002-access": accessMigration,
	"0003-releases": releasesMigration,
	"0004-fleet": fleetMigration,
	"0005-webhooks": webhooksMigration,
	"0006-orders": ordersMigration,
	"0007-image-claims": imageClaimsMigration,
	"0008-indexes": indexesMigration,
	"0009-failures": failuresMigration,
	"0010-counts": countsMigration,
	"0011-report-order": reportOrderMigration,
};

/**
 * Runs the migrations that are missing; returns their names. Throws `server-failed` when one fails or the database is of a
 * newer server.
 */
export async function migrateToLatest(db: Records): Promise<string[]> {
	await refuseNewer(db);
	return finish(await withoutTimeLimits(db, (patient) => migratorOf(patient).migrateToLatest()));
}

/** Undoes the last migration, its rows with it; returns its name, in a list. Throws `server-failed`, as above. */
export async function migrateDown(db: Records): Promise<string[]> {
	await refuseNewer(db);
	return finish(await withoutTimeLimits(db, (patient) => migratorOf(patient).migrateDown()));
}

/** In their order, with when they ran (undefined: not yet). */
export async function listMigrations(
	db: Records,
): Promise<readonly { readonly name: string; readonly executedAt: Date | undefined }[]> {
	const migrations = await migratorOf(db).getMigrations();
	return migrations.map(({ name, executedAt }) => ({ name, executedAt }));
}

/** Names of those that are still to run. */
export async function pendingMigrations(db: Records): Promise<string[]> {
	const migrations = await listMigrations(db);
	return migrations.flatMap(({ name, executedAt }) => (executedAt === undefined ? name : []));
}

function migratorOf(db: Records): Migrator {
	return new Migrator({ db, provider: { getMigrations: async () => ({ ...MIGRATIONS }) } });
}

/** Names of those that only a newer server knows, in their order. */
export async function newerMigrations(db: Records): Promise<string[]> {
	const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
	if (!tables.some(({ name }) => name === "kysely_migration")) return [];
	const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
	return rows.flatMap(({ name }) => (Object.hasOwn(MIGRATIONS, name) ? [] : name));
}

// Kysely refuses it as well, but calls it corrupted.
async function refuseNewer(db: Records): Promise<void> {
	const newer = await newerMigrations(db);
	if (newer.length === 0) return;
	throw new FotaError(
		"server-failed",
		`the database is of a newer server (it has ${newer.map((name) => `"${name}"`).join(", ")}): use that one on, or go ` +
			`back: with no server running, have the newer one take its steps back (migrate down, ${newer.length} times), ` +
			"or restore a backup from before it was started",
	);
}

function finish(outcome: MigrationResultSet): string[] {
	if (outcome.error === undefined) return (outcome.results ?? []).map(({ migrationName }) => migrationName);
	const reason = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
	throw new FotaError("server-failed", `database migration failed: ${reason}`, { cause: outcome.error });
}
