// The server as one object: opens the stores, puts the routes together, listens, stops. Used by main.ts, by tests and
// by the scripts that run a server in their own process. Reads no environment.
import { randomBytes } from "node:crypto";
import type { FastifyBaseLogger } from "fastify";
import type { DestinationStream, Level } from "pino";
import { IMAGE_MAX_BYTES } from "../src/protocol/limits.js";
import { AUDIT_HEAD_TASK_MS, createAuditHeads } from "./audit-heads.js";
import { makeFirstAdmin } from "./auth/first-admin.js";
import { checkMasterKey } from "./auth/master-key-check.js";
import { createPasswords } from "./auth/passwords.js";
import { createRefusalLog } from "./auth/refusal-log.js";
import { loadSecrets, type Secrets } from "./auth/secrets.js";
import { buildServer, type ServerSettings } from "./build-server.js";
import { listen, stopServer, watchUnusedConnections } from "./listen.js";
import { createLive, type LiveOptions } from "./live-services.js";
import { CLEAN_UP_TASK_MS, openStores, runCleanUpTask } from "./open-stores.js";
import { type Every, type RegularTask, startRegularWork, systemEvery } from "./regular-work.js";
import { createRolloutJudge } from "./rollout-judge.js";
import { createServerLog } from "./server-log.js";
import type { Server, Services } from "./services.js";
import { countDerivedDevices } from "./stores/device-store.js";
import type { ImageStore } from "./stores/image-store.js";
import { createNonceTaker } from "./stores/nonce-queue.js";
import { RETENTION_TASK_MS, runRetentionTask } from "./stores/retention.js";
import { ROLLOUT_TASK_MS, runRolloutTask } from "./stores/rollout-task.js";
import type { S3Settings } from "./stores/s3-images.js";
import type { Records } from "./stores/tables.js";
import { reloadTls } from "./tls.js";

const ROLLOUT_SEED_BYTES = 16;
const DOWNLOAD_RECHECK_MS = 5000;
const DAY_MS = 86_400_000;
export const DEFAULT_SILENT_AFTER_MS = DAY_MS;
export const DEFAULT_LOG_RETENTION_MS = 365 * DAY_MS;

export interface AppOptions extends ServerSettings, LiveOptions {
	/**
	 * Folder for database, images and secrets; made if missing. Default: nothing is kept: the database is in memory, the
	 * images in a temporary folder that close() removes.
	 */
	readonly dataDirectory?: string | undefined;
	/** `postgres://…`. Default: SQLite, in the data folder or in memory. */
	readonly databaseUrl?: string | undefined;
	/** At least 16 printable characters; false: none. Default: the one in the data folder, made at the first start. */
	readonly adminToken?: string | false | undefined;
	/** 32 bytes, the same in all servers on a database. Default: the one in the data folder, made at the first start. */
	readonly jwtSecret?: Uint8Array | undefined;
	/** 32 bytes. Default: the one in the data folder, made at the first start. Another one unknows derived devices. */
	readonly masterKey?: Uint8Array | undefined;
	/** True: the master key is meant to be another one than before. */
	readonly isMasterKeyReplaced?: boolean | undefined;
	/** Of passwords that are set, see auth/passwords.ts. */
	readonly passwordCostLog2?: number | undefined;
	/** How long lines of the event log and the security log are kept, in milliseconds. Default: 365 days. */
	readonly logRetentionMs?: number | undefined;
	/** Unix time in milliseconds. Default: the system's clock. */
	readonly nowMs?: () => number;
	/** Decides which devices a rollout reaches first, lower-case hex. Default: 16 random bytes. */
	readonly newRolloutSeed?: (() => string) | undefined;
	/** Default "info". */
	readonly logLevel?: Level | "silent" | undefined;
	/** Where log lines go. Default: standard output. */
	readonly logStream?: DestinationStream | undefined;
	/** Largest image that is taken, in bytes. Default and maximum: what the protocol allows, 8 MiB. */
	readonly maxUploadBytes?: number | undefined;
	/** How often a download under way is asked whether it may go on, in milliseconds. Default 5000. */
	readonly downloadRecheckMs?: number | undefined;
	/** Device types whose devices may come with a `Device-ID` header alone. Default: none. */
	readonly legacyDeviceTypes?: readonly string[] | undefined;
	/** How long close() waits for requests under way before it cuts them, in milliseconds. Default 10000. */
	readonly stopTimeoutMs?: number | undefined;
	/** An object store for the images. Default: a folder in the data folder. */
	readonly s3?: S3Settings | undefined;
	/** Images of the folder kept in memory, in bytes all together; less than 8 MiB: none. Default 0. */
	readonly imageCacheBytes?: number | undefined;
	/** IANA name; whose clock schedule windows go by where a device has no time zone of its own. Default "UTC". */
	readonly defaultTimeZone?: string | undefined;
	/** Releases go to devices by rollouts only, from the first on. Default false. */
	readonly isRolloutNeeded?: boolean | undefined;
	/** After which a device that was in the middle of an update counts as failed, in milliseconds. Default: a day. */
	readonly silentAfterMs?: number | undefined;
	/** Runs the server's own regular work. Default: timers of the system that do not keep the process alive. */
	readonly every?: Every | undefined;
	/** Takes the place of the image folder. */
	readonly images?: ImageStore | undefined;
}

export interface App {
	/** For `inject`. */
	readonly fastify: Server;
	/** Empty where it is switched off. */
	readonly adminToken: string;
	/**
	 * Makes the user "admin" where there is no user; returns its one-time password, to be shown once and never to be
	 * logged. For when the server listens: a password that nobody saw, since the start failed behind it, would be lost.
	 */
	makeFirstAdmin(): Promise<string | undefined>;
	/** Reads certificate and key anew. Throws `server-failed`; the old ones stay then. */
	reloadTls(): Promise<void>;
	/** Starts to listen; returns the base URL. Port 0 (default) takes a free one; host defaults to 127.0.0.1. */
	listen(address?: { readonly port?: number; readonly host?: string }): Promise<string>;
	/** What went on behind answers has ended. */
	idle(): Promise<void>;
	/** Takes no new requests, lets those under way end, within stopTimeoutMs. Idempotent. */
	close(): Promise<void>;
}

export async function createApp(options: AppOptions = {}): Promise<App> {
	const nowMs = options.nowMs ?? Date.now;
	const log = createServerLog(options);
	const stores = await openStores(options, log);
	const { db } = stores;
	try {
		const secrets = await loadCheckedSecrets(options, db);
		const passwords = createPasswords({ costLog2: options.passwordCostLog2 });
		const refusals = createRefusalLog({ db, log, nowMs });
		const live = createLive(options, { ...stores, ...secrets, log, nowMs, refusals });
		const rolloutJudge = createRolloutJudge({ db, log, nowMs });
		const auditHeads = createAuditHeads({ db, log });
		let isStopping = false;
		const services = servicesOf(options, {
			...stores,
			...secrets,
			...live.services,
			takeNonce: createNonceTaker(db),
			rolloutJudge,
			auditHeads,
			passwords,
			nowMs,
			isStopping: () => isStopping,
		});
		// Two servers on one database that differ in it would go unnoticed.
		if (services.isRolloutNeeded) log.info("releases go to devices by rollouts only");
		const fastify = await buildServer(services, options, log);
		const endUnused = watchUnusedConnections(fastify);
		const work = startRegularWork(options.every ?? systemEvery, [
			...regularTasks(options, services, log),
			...live.tasks,
		]);
		let firstAdmin: Promise<unknown> | undefined;
		const stop = async () => {
			isStopping = true;
			await Promise.all([work.stop(), live.close()]);
			await stopServer(fastify, { timeoutMs: options.stopTimeoutMs ?? 10_000, endUnused });
			await Promise.all([firstAdmin, rolloutJudge.idle(), auditHeads.idle()]);
			await stores.close();
		};
		return {
			fastify,
			adminToken: secrets.adminToken ?? "",
			makeFirstAdmin: () => {
				const made = makeFirstAdmin({ db, passwords, nowMs });
				// The stores stay open for it.
				firstAdmin = made.catch(() => undefined);
				return made;
			},
			reloadTls: () => reloadTls(fastify, options.tls),
			listen: async (address = {}) => {
				const url = await listen(fastify, address);
				await auditHeads.tell(true);
				return url;
			},
			idle: async () => {
				await Promise.all([rolloutJudge.idle(), auditHeads.idle()]);
			},
			close: once(stop),
		};
	} catch (error) {
		await stores.close();
		throw error;
	}
}

function servicesOf(
	options: AppOptions,
	made: Omit<
		Services,
		| "legacyDeviceTypes"
		| "maxUploadBytes"
		| "downloadRecheckMs"
		| "defaultTimeZone"
		| "isRolloutNeeded"
		| "newRolloutSeed"
	>,
): Services {
	return {
		...made,
		legacyDeviceTypes: new Set(options.legacyDeviceTypes),
		maxUploadBytes: Math.min(options.maxUploadBytes ?? IMAGE_MAX_BYTES, IMAGE_MAX_BYTES),
		downloadRecheckMs: options.downloadRecheckMs ?? DOWNLOAD_RECHECK_MS,
		defaultTimeZone: options.defaultTimeZone ?? "UTC",
		isRolloutNeeded: options.isRolloutNeeded ?? false,
		newRolloutSeed: options.newRolloutSeed ?? (() => randomBytes(ROLLOUT_SEED_BYTES).toString("hex")),
	};
}

async function loadCheckedSecrets(options: AppOptions, db: Records): Promise<Secrets> {
	const countDerived = () => countDerivedDevices(db);
	const secrets = await loadSecrets({
		...options,
		directory: options.dataDirectory,
		countDerivedDevices: countDerived,
	});
	await checkMasterKey({
		db,
		masterKey: secrets.masterKey,
		isReplaced: options.isMasterKeyReplaced ?? false,
		countDerivedDevices: countDerived,
	});
	return secrets;
}

function regularTasks(options: AppOptions, services: Services, log: FastifyBaseLogger): RegularTask[] {
	const { db, nowMs, isStopping, auditHeads } = services;
	const silentAfterMs = options.silentAfterMs ?? DEFAULT_SILENT_AFTER_MS;
	const logRetentionMs = options.logRetentionMs ?? DEFAULT_LOG_RETENTION_MS;
	return [
		{ everyMs: ROLLOUT_TASK_MS, run: () => runRolloutTask({ db, log, nowMs, silentAfterMs }) },
		{
			everyMs: RETENTION_TASK_MS,
			run: () => runRetentionTask({ db, log, nowMs, logRetentionMs, isStopping }),
		},
		{ everyMs: CLEAN_UP_TASK_MS, run: () => runCleanUpTask(services, log) },
		{ everyMs: AUDIT_HEAD_TASK_MS, run: () => auditHeads.tell() },
		{ everyMs: DAY_MS, run: () => auditHeads.tell(true) },
	];
}

/** Calls the task the first time only. */
function once(task: () => Promise<void>): () => Promise<void> {
	let started: Promise<void> | undefined;
	return () => {
		started ??= task();
		return started;
	};
}
