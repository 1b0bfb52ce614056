// `backup FOLDER`: a copy of database and images while the server runs. The database first: the images of the releases in
// it are there by then, and stay. Called by command-line.ts.
import { access, mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import Database from "libsql";
import { FotaError } from "../../src/protocol/error-codes.js";
import { DATABASE_FILE, openImages } from "../open-stores.js";
import type { Settings } from "../settings.js";
import { openDatabase } from "../stores/database.js";
import { syncFolder } from "../stores/durable-file.js";
import type { ImageStore } from "../stores/image-store.js";
import { listMigrations } from "../stores/migrate.js";
import type { Records } from "../stores/tables.js";
import {
	type BackupManifest,
	DATABASE_FILES,
	hashOfFile,
	IMAGES_FOLDER,
	MANIFEST_FILE,
	SECRETS_FOLDER,
} from "./backup-format.js";
import { copySecrets } from "./backup-secrets.js";
import { runPostgresTool } from "./postgres-tools.js";

/** Behind the name of the folder, and before six letters by chance. */
const DRAFT_SUFFIX = ".partial-";

export interface BackupOptions {
	readonly settings: Settings;
	/** Made; must not exist. Whole or absent afterwards. */
	readonly folder: string;
	readonly isWithSecrets: boolean;
	readonly say: (line: string) => void;
}

/** Throws `request-malformed` when the folder exists, `server-failed` when something cannot be copied. */
export async function backUp(options: BackupOptions): Promise<void> {
	const folder = resolve(options.folder);
	if (await exists(folder)) throw new FotaError("request-malformed", `${folder} exists already`);
	await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
	await sayOfDrafts(folder, options.say);
	// Of this run alone, and nothing else is ever cleared away: whatever has such a name may be somebody's.
	const draft = await mkdtemp(`${folder}${DRAFT_SUFFIX}`);
	try {
		await mkdir(join(draft, IMAGES_FOLDER), { mode: 0o700 });
		const manifest = await fill(draft, options);
		await writeDurably(join(draft, MANIFEST_FILE), `${JSON.stringify(manifest, undefined, "\t")}\n`);
		for (const part of [join(draft, IMAGES_FOLDER), draft]) await syncFolder(part);
		await rename(draft, folder);
		await syncFolder(dirname(folder));
		options.say(`backed up: the database and ${manifest.images.length} image(s) to ${folder}`);
	} catch (error) {
		await rm(draft, { recursive: true, force: true });
		throw error;
	}
}

/** What a backup left that was killed is for the operator to remove: it may have secrets in it, or still be written. */
async function sayOfDrafts(folder: string, say: (line: string) => void): Promise<void> {
	const names = await readdir(dirname(folder));
	for (const name of names.filter((name) => name.startsWith(`${basename(folder)}${DRAFT_SUFFIX}`)))
		say(`${join(dirname(folder), name)} is of a backup that has not ended; remove it if none runs`);
}

async function fill(draft: string, options: BackupOptions): Promise<BackupManifest> {
	const { dataDirectory, databaseUrl, s3 } = options.settings.app;
	const kind = databaseUrl === undefined ? "sqlite" : "postgres";
	const copy = join(draft, DATABASE_FILES[kind]);
	const createdAt = new Date().toISOString();
	if (databaseUrl === undefined) copySqlite(join(dataDirectory, DATABASE_FILE), copy);
	else
		await runPostgresTool(
			"pg_dump",
			["--format=custom", "--no-owner", "--no-privileges", `--file=${copy}`],
			databaseUrl,
		);
	await syncFile(copy);
	const db = openDatabase(databaseUrl ?? join(dataDirectory, DATABASE_FILE));
	const images = await openImages(s3, join(dataDirectory, "images"));
	try {
		const hashes = await copyImages(db, images, join(draft, IMAGES_FOLDER));
		const secrets = options.isWithSecrets
			? await copySecrets(options.settings.app, join(draft, SECRETS_FOLDER))
			: undefined;
		sayOfSecrets(secrets, options.say);
		const migrations = await listMigrations(db);
		return {
			format: 1,
			database: kind,
			database_sha256: await hashOfFile(copy),
			created_at: createdAt,
			migrations: migrations.flatMap(({ name, executedAt }) => (executedAt === undefined ? [] : name)),
			images: hashes,
			has_secrets: options.isWithSecrets,
		};
	} finally {
		await images.close();
		await db.destroy();
	}
}

/** All that was committed when it begins, while the server goes on writing (https://sqlite.org/lang_vacuum.html). */
function copySqlite(from: string, to: string): void {
	const database = new Database(from, { readonly: true, fileMustExist: true } as Database.Options);
	try {
		database.prepare("vacuum into ?").run(to);
	} catch (cause) {
		throw new FotaError("server-failed", `${from} cannot be copied: ${(cause as Error).message}`, { cause });
	} finally {
		database.close();
	}
	checkIntegrity(to);
}

/** Throws `server-failed`. */
export function checkIntegrity(path: string): void {
	const database = new Database(path, { readonly: true } as Database.Options);
	try {
		const rows = database.prepare("pragma integrity_check").all() as { integrity_check: string }[];
		if (rows.length !== 1 || rows[0]?.integrity_check !== "ok")
			throw new FotaError("server-failed", `${path} is damaged: ${rows[0]?.integrity_check ?? "no answer"}`);
	} finally {
		database.close();
	}
}

/** Each is compared with its hash on the way. */
async function copyImages(db: Records, images: ImageStore, folder: string): Promise<string[]> {
	const rows = await db
		.selectFrom("releases")
		.select(["hash", "size_bytes"])
		.distinct()
		.orderBy("hash")
		.execute();
	for (const { hash, size_bytes: sizeBytes } of rows) {
		const path = join(folder, `${hash}.bin`);
		const image = await images.open(hash);
		try {
			await writeDurably(path, await image.read(0, sizeBytes));
		} finally {
			await image.close();
		}
		if ((await hashOfFile(path)) !== hash)
			throw new FotaError("server-failed", `the image ${hash} in the store is not what it was`);
	}
	return rows.map(({ hash }) => hash);
}

/** `secrets`: the names of those that are in it; undefined where they were not asked for. */
function sayOfSecrets(secrets: readonly string[] | undefined, say: (line: string) => void): void {
	if (secrets !== undefined)
		say(
			`WITH SECRETS (${secrets.join(", ")}): whoever has this backup can speak as every device and as an admin. Keep it ` +
				"locked away.",
		);
	else
		say(
			"Without secrets: the master key is NOT in this backup, and without it every device is locked out. Keep a copy " +
				"of it elsewhere (the file master-key, or FOTA_MASTER_KEY), or back up with --with-secrets.",
		);
}

async function writeDurably(path: string, data: string | Uint8Array): Promise<void> {
	await writeFile(path, data, { mode: 0o600, flag: "wx" });
	await syncFile(path);
}

async function syncFile(path: string): Promise<void> {
	const file = await open(path, "r+");
	try {
		await file.sync();
	} finally {
		await file.close();
	}
}

async function exists(path: string): Promise<boolean> {
	return access(path).then(
		() => true,
		() => false,
	);
}
