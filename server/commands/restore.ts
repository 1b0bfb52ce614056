// `restore FOLDER`: puts a backup where the settings say, which must be empty. Images first, the database last: what is
// broken off in the middle is no server. Called by command-line.ts.
import { createReadStream } from "node:fs";
import { access, copyFile, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FotaError } from "../../src/protocol/error-codes.js";
import { IMAGE_MAX_BYTES } from "../../src/protocol/limits.js";
import { DATABASE_FILE, openImages } from "../open-stores.js";
import type { Settings } from "../settings.js";
import { openDatabase } from "../stores/database.js";
import { syncFolder } from "../stores/durable-file.js";
import type { ImageStore } from "../stores/image-store.js";
import { checkIntegrity } from "./backup.js";
import {
	type BackupManifest,
	DATABASE_FILES,
	hashOfFile,
	IMAGES_FOLDER,
	readManifest,
	SECRETS_FOLDER,
} from "./backup-format.js";
import { noMasterKey, restoreSecrets } from "./backup-secrets.js";
import { runPostgresTool } from "./postgres-tools.js";

export interface RestoreOptions {
	readonly settings: Settings;
	readonly folder: string;
	readonly say: (line: string) => void;
}

/** Throws `request-malformed` for what is no backup or a place that is not empty, `server-failed` for a damaged one. */
export async function restore({ settings, folder, say }: RestoreOptions): Promise<void> {
	const manifest = await readManifest(folder);
	const { dataDirectory, databaseUrl, s3 } = settings.app;
	const kind = databaseUrl === undefined ? "sqlite" : "postgres";
	if (manifest.database !== kind)
		throw new FotaError(
			"request-malformed",
			`the backup is of ${manifest.database}, the settings name ${kind}`,
		);
	const source = join(folder, DATABASE_FILES[kind]);
	if ((await hashOfFile(source)) !== manifest.database_sha256)
		throw new FotaError("server-failed", `${source} is damaged: not what was backed up`);
	await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
	await refuseUsedDatabase(databaseUrl, join(dataDirectory, DATABASE_FILE));
	const images = await openImages(s3, join(dataDirectory, "images"));
	try {
		await restoreImages(images, folder, manifest);
	} finally {
		await images.close();
	}
	if (manifest.has_secrets) await restoreSecrets(settings.app, join(folder, SECRETS_FOLDER), say);
	else say(noMasterKey("The backup has no secrets, nor the master key"));
	if (databaseUrl === undefined) await restoreSqlite(source, join(dataDirectory, DATABASE_FILE));
	else await restorePostgres(source, databaseUrl);
	say(`restored: the database of ${manifest.created_at} and ${manifest.images.length} image(s)`);
}

async function refuseUsedDatabase(databaseUrl: string | undefined, path: string): Promise<void> {
	if (databaseUrl === undefined) return refuseFiles(path);
	if (await hasTables(databaseUrl))
		throw new FotaError(
			"request-malformed",
			"the database is not empty; restore into an empty one, then switch over",
		);
}

// SQLite would play the log of another database, left by a crash, into the one that is restored.
async function refuseFiles(path: string): Promise<void> {
	for (const file of ["", "-wal", "-shm", "-journal"].map((suffix) => path + suffix))
		if (await isThere(file))
			throw new FotaError(
				"request-malformed",
				`${file} is there already; move all of ${path}* away, or restore into another folder`,
			);
}

async function isThere(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		(error: NodeJS.ErrnoException) => {
			if (error.code === "ENOENT") return false;
			throw error;
		},
	);
}

async function hasTables(databaseUrl: string): Promise<boolean> {
	const db = openDatabase(databaseUrl);
	try {
		return (await db.introspection.getTables({ withInternalKyselyTables: true })).length > 0;
	} finally {
		await db.destroy();
	}
}

async function restoreImages(images: ImageStore, folder: string, manifest: BackupManifest): Promise<void> {
	if ((await images.listKeptBefore(Number.MAX_SAFE_INTEGER)).length > 0)
		throw new FotaError("request-malformed", "the image store is not empty; restore into an empty one");
	for (const hash of manifest.images) {
		const path = join(folder, IMAGES_FOLDER, `${hash}.bin`);
		const staged = await images.stage(createReadStream(path), { maxBytes: IMAGE_MAX_BYTES });
		try {
			if (staged.hash !== hash)
				throw new FotaError("server-failed", `${path} is damaged: not what was backed up`);
			await staged.keep();
		} finally {
			await staged.discard();
		}
	}
}

async function restorePostgres(source: string, databaseUrl: string): Promise<void> {
	await runPostgresTool(
		"pg_restore",
		[
			"--no-owner",
			"--no-privileges",
			"--exit-on-error",
			"--single-transaction",
			`--dbname=${nameOf(databaseUrl)}`,
			source,
		],
		databaseUrl,
	);
	await endSessions(databaseUrl);
}

/** Threat: a session that was ended since, because somebody had stolen it. Log-ins are cheap. */
async function endSessions(location: string): Promise<void> {
	const db = openDatabase(location);
	try {
		const tables = await db.introspection.getTables();
		// Backups of the first versions have none.
		if (tables.some(({ name }) => name === "sessions")) await db.deleteFrom("sessions").execute();
	} finally {
		await db.destroy();
	}
}

async function restoreSqlite(source: string, path: string): Promise<void> {
	const draft = `${path}.restoring`;
	const beside = [`${draft}-wal`, `${draft}-shm`];
	for (const file of [draft, ...beside]) await rm(file, { force: true });
	await copyFile(source, draft);
	await endSessions(draft);
	checkIntegrity(draft);
	// Empty: all is in the draft.
	for (const file of beside) await rm(file, { force: true });
	await rename(draft, path);
	await syncFolder(dirname(path));
}

function nameOf(databaseUrl: string): string {
	return decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
}
