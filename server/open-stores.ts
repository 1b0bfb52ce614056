// Database and images, as the settings say, opened and closed together. Called by app.ts.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyBaseLogger } from "fastify";
import { FotaError } from "../src/protocol/error-codes.js";
import { IN_MEMORY, openDatabase } from "./stores/database.js";
import { openImageFolder } from "./stores/image-folder.js";
import type { ImageStore } from "./stores/image-store.js";
import { MIGRATIONS, migrateToLatest } from "./stores/migrate.js";
import { removeOrphans } from "./stores/publish-release.js";
import type { S3Settings } from "./stores/s3-images.js";
import { takeServerLock } from "./stores/server-lock.js";
import type { Records } from "./stores/tables.js";

/** In the data folder. */
export const DATABASE_FILE = "fota.db";
export const LOCK_FILE = "server.lock";

/** As in AppOptions. */
export interface StoreOptions {
	readonly dataDirectory?: string | undefined;
	readonly databaseUrl?: string | undefined;
	readonly s3?: S3Settings | undefined;
	readonly images?: ImageStore | undefined;
	readonly imageCacheBytes?: number | undefined;
	readonly nowMs?: () => number;
}

export interface Stores {
	readonly db: Records;
	readonly images: ImageStore;
	close(): Promise<void>;
}

type CleanUpTools = Parameters<typeof removeOrphans>[0];

/** Brings the tables up to date, and removes what unfinished uploads left. */
export async function openStores(options: StoreOptions, log: FastifyBaseLogger): Promise<Stores> {
	const { dataDirectory } = options;
	if (dataDirectory !== undefined) await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
	const directory = dataDirectory ?? (await mkdtemp(join(tmpdir(), "fota-server-")));
	const file = dataDirectory === undefined ? IN_MEMORY : join(directory, DATABASE_FILE);
	const isAlone = dataDirectory !== undefined && options.databaseUrl === undefined;
	const db = openDatabase(options.databaseUrl ?? file);
	let releaseLock = () => {};
	let images = options.images;
	const close = async () => {
		await images?.close();
		await db.destroy();
		releaseLock();
		if (dataDirectory === undefined) await rm(directory, { recursive: true, force: true });
	};
	try {
		if (isAlone) releaseLock = takeServerLock(join(directory, LOCK_FILE));
		const made = await migrateToLatest(db);
		// Not of a new database, which is made of nothing else.
		if (made.length > 0 && made.length < Object.keys(MIGRATIONS).length)
			log.info({ migrations: made }, "database brought up to date");
		images ??= await openImages(options.s3, join(directory, "images"), options.imageCacheBytes);
		await cleanUp({ db, images, nowMs: options.nowMs ?? Date.now }, log);
		return { db, images, close };
	} catch (error) {
		await close();
		throw error;
	}
}

/** Throws what is no fault of the object store. */
async function cleanUp(tools: CleanUpTools, log: FastifyBaseLogger): Promise<void> {
	try {
		const removedCount = await removeOrphans(tools);
		if (removedCount > 0) log.warn({ removedCount }, "images of unfinished uploads removed");
	} catch (error) {
		// The object store is away: the server starts all the same, and serves once it is back.
		if (!(error instanceof FotaError && error.code === "server-unavailable")) throw error;
		log.warn({ reason: error.message }, "images of unfinished uploads not removed");
	}
}

export const CLEAN_UP_TASK_MS = 3_600_000;

/** Removes what uploads left that ended badly since the start: the object store was away, or another server crashed. */
export async function runCleanUpTask(tools: CleanUpTools, log: FastifyBaseLogger): Promise<void> {
	try {
		await cleanUp(tools, log);
	} catch (error) {
		log.error({ err: error }, "images of unfinished uploads not removed");
	}
}

/** `cacheBytes`: of the folder; the object store has its own. */
export async function openImages(
	s3: S3Settings | undefined,
	directory: string,
	cacheBytes = 0,
): Promise<ImageStore> {
	if (s3 === undefined) return openImageFolder({ directory, cacheBytes });
	// Its library is large: only where it is needed.
	const { openS3Images } = await import("./stores/s3-images.js");
	return openS3Images(s3);
}
