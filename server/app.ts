// The server as one object: opens the stores, puts the routes together, listens, stops. Used by main.ts, by tests and
// by the scripts that run a server in their own process. Reads no environment.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify, { type FastifyBaseLogger } from "fastify";
import { type DestinationStream, type Level, pino } from "pino";
import { FotaError } from "../src/protocol/error-codes.js";
import { IMAGE_MAX_BYTES } from "../src/protocol/limits.js";
import { createRefusalLog } from "./auth/refusal-log.js";
import { loadSecrets } from "./auth/secrets.js";
import { configureHttp, HTTP_OPTIONS } from "./http-server.js";
import { registerAdminRoutes } from "./routes/admin-scope.js";
import { registerDeviceRoutes } from "./routes/device-scope.js";
import { registerHealthRoute } from "./routes/health-route.js";
import type { Server, Services } from "./services.js";
import { IN_MEMORY, openDatabase } from "./stores/database.js";
import { countDerivedDevices } from "./stores/device-store.js";
import { openImageFolder } from "./stores/image-folder.js";
import type { ImageStore } from "./stores/image-store.js";
import { migrateToLatest } from "./stores/migrate.js";
import { removeOrphans } from "./stores/publish-release.js";
import type { S3Settings } from "./stores/s3-images.js";
import type { Records } from "./stores/tables.js";

export interface AppOptions {
	/**
	 * Folder for database, images and secrets; made if missing. Default: nothing is kept: the database is in memory, the
	 * images in a temporary folder that close() removes.
	 */
	readonly dataDirectory?: string | undefined;
	/** `postgres://…`. Default: SQLite, in the data folder or in memory. */
	readonly databaseUrl?: string | undefined;
	/** At least 16 printable characters. Default: the one in the data folder, made at the first start. */
	readonly adminToken?: string | undefined;
	/** 32 bytes. Default: the one in the data folder, made at the first start. Another one unknows derived devices. */
	readonly masterKey?: Uint8Array | undefined;
	/** Unix time in milliseconds. Default: the system's clock. */
	readonly nowMs?: () => number;
	/** Default "info". */
	readonly logLevel?: Level | "silent" | undefined;
	/** Where log lines go. Default: standard output. */
	readonly logStream?: DestinationStream | undefined;
	/** Largest image that is taken, in bytes. Default and maximum: what the protocol allows, 8 MiB. */
	readonly maxUploadBytes?: number | undefined;
	/** Device types whose devices may come with a `Device-ID` header alone. Default: none. */
	readonly legacyDeviceTypes?: readonly string[] | undefined;
	/** How long close() waits for requests under way before it cuts them, in milliseconds. Default 10000. */
	readonly stopTimeoutMs?: number | undefined;
	/** An object store for the images. Default: a folder in the data folder. */
	readonly s3?: S3Settings | undefined;
	/** Takes the place of the image folder. */
	readonly images?: ImageStore | undefined;
}

export interface App {
	/** For `inject`. */
	readonly fastify: Server;
	readonly adminToken: string;
	/** Starts to listen; returns the base URL. Port 0 (default) takes a free one; host defaults to 127.0.0.1. */
	listen(address?: { readonly port?: number; readonly host?: string }): Promise<string>;
	/** Takes no new requests, lets those under way end, within stopTimeoutMs. Idempotent. */
	close(): Promise<void>;
}

export async function createApp(options: AppOptions = {}): Promise<App> {
	const nowMs = options.nowMs ?? Date.now;
	const log = createLog(options);
	const stores = await openStores(options, log);
	try {
		const secrets = await loadSecrets({
			...options,
			directory: options.dataDirectory,
			countDerivedDevices: () => countDerivedDevices(stores.db),
		});
		let isStopping = false;
		const services: Services = {
			...stores,
			...secrets,
			legacyDeviceTypes: new Set(options.legacyDeviceTypes),
			maxUploadBytes: Math.min(options.maxUploadBytes ?? IMAGE_MAX_BYTES, IMAGE_MAX_BYTES),
			refusals: createRefusalLog({ db: stores.db, log, nowMs }),
			nowMs,
			isStopping: () => isStopping,
		};
		const fastify = await buildServer(services, log);
		const stop = async () => {
			isStopping = true;
			await stopServer(fastify, options.stopTimeoutMs ?? 10_000);
			await stores.close();
		};
		let stopped: Promise<void> | undefined;
		return {
			fastify,
			adminToken: secrets.adminToken,
			listen: (address = {}) => listen(fastify, address),
			close: () => {
				stopped ??= stop();
				return stopped;
			},
		};
	} catch (error) {
		await stores.close();
		throw error;
	}
}

// Secrets travel in headers only, which are not logged; redaction is for whoever logs a request as a whole one day.
function createLog(options: AppOptions): FastifyBaseLogger {
	const redact = [
		"authorization",
		"device_key",
		"*.authorization",
		"*.device_key",
		"*.headers",
		"*.*.authorization",
	];
	const settings = { level: options.logLevel ?? "info", redact };
	return options.logStream === undefined ? pino(settings) : pino(settings, options.logStream);
}

interface Stores {
	readonly db: Records;
	readonly images: ImageStore;
	close(): Promise<void>;
}

async function openStores(options: AppOptions, log: FastifyBaseLogger): Promise<Stores> {
	const { dataDirectory } = options;
	if (dataDirectory !== undefined) await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
	const directory = dataDirectory ?? (await mkdtemp(join(tmpdir(), "fota-server-")));
	const file = dataDirectory === undefined ? IN_MEMORY : join(directory, "fota.db");
	const db = openDatabase(options.databaseUrl ?? file);
	let images = options.images;
	const close = async () => {
		await images?.close();
		await db.destroy();
		if (dataDirectory === undefined) await rm(directory, { recursive: true, force: true });
	};
	try {
		await migrateToLatest(db);
		images ??= await openImages(options.s3, join(directory, "images"));
		await cleanUp({ db, images, nowMs: options.nowMs ?? Date.now }, log);
		return { db, images, close };
	} catch (error) {
		await close();
		throw error;
	}
}

async function cleanUp(tools: Parameters<typeof removeOrphans>[0], log: FastifyBaseLogger): Promise<void> {
	try {
		const removedCount = await removeOrphans(tools);
		if (removedCount > 0) log.warn({ removedCount }, "images of unfinished uploads removed");
	} catch (error) {
		// The object store is away: the server starts all the same, and serves once it is back.
		if (!(error instanceof FotaError && error.code === "server-unavailable")) throw error;
		log.warn({ err: error }, "images of unfinished uploads not removed");
	}
}

async function openImages(s3: S3Settings | undefined, directory: string): Promise<ImageStore> {
	if (s3 === undefined) return openImageFolder({ directory });
	// Its library is large: only where it is needed.
	const { openS3Images } = await import("./stores/s3-images.js");
	return openS3Images(s3);
}

async function buildServer(services: Services, log: FastifyBaseLogger): Promise<Server> {
	const fastify = Fastify({ ...HTTP_OPTIONS, loggerInstance: log }) as unknown as Server;
	configureHttp(fastify, services);
	registerHealthRoute(fastify, services);
	await fastify.register(async (scope) => registerDeviceRoutes(scope as Server, services));
	await fastify.register(async (scope) => registerAdminRoutes(scope as Server, services));
	await fastify.ready();
	return fastify;
}

async function listen(
	fastify: Server,
	address: { readonly port?: number; readonly host?: string },
): Promise<string> {
	const host = address.host ?? "127.0.0.1";
	const wanted = { port: address.port ?? 0, host };
	try {
		// One line an address: on 0.0.0.0 these are the ones that devices can be given.
		await fastify.listen({ ...wanted, listenTextResolver: (url) => `reachable at ${url}` });
	} catch (cause) {
		throw new FotaError("server-unavailable", listenFault(wanted, cause as NodeJS.ErrnoException), { cause });
	}
	const { port } = fastify.server.address() as AddressInfo;
	return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function listenFault(wanted: { readonly port: number; readonly host: string }, cause: NodeJS.ErrnoException) {
	const { port, host } = wanted;
	switch (cause.code) {
		case "EADDRINUSE":
			return `port ${port} is in use already, perhaps by another server; stop that, or give another one (PORT=8081)`;
		case "EACCES":
			return `port ${port} is not open to this user; give one from 1024 on (PORT=8080)`;
		case "EADDRNOTAVAIL":
		case "ENOTFOUND":
			return `${host} is no address of this machine; HOST=0.0.0.0 means all it has`;
		default:
			return cause.message;
	}
}

async function stopServer(fastify: Server, timeoutMs: number): Promise<void> {
	const cut = setTimeout(() => {
		fastify.log.warn({ timeoutMs }, "requests under way are cut");
		fastify.server.closeAllConnections();
	}, timeoutMs);
	try {
		await fastify.close();
	} finally {
		clearTimeout(cut);
	}
}
