// The server's environment variables, checked. Called by main.ts.
import { resolve } from "node:path";
import { FotaError } from "../src/protocol/error-codes.js";
import { NAME_PATTERN } from "../src/protocol/json.js";
import { IMAGE_MAX_BYTES, IMAGE_MIN_BYTES } from "../src/protocol/limits.js";
import type { AppOptions } from "./app.js";
import { ADMIN_TOKEN_FILE, parseKey } from "./auth/secrets.js";
import { checkTimeZone } from "./domain/schedule-window.js";
import { type Environment, parseInteger } from "./environment.js";
import { parseHttpSettings } from "./http-settings.js";
import { isPostgresUrl } from "./stores/database.js";
import type { S3Settings } from "./stores/s3-images.js";

export interface Settings {
	readonly app: AppOptions & { readonly dataDirectory: string };
	readonly listen: { readonly port: number; readonly host: string };
	/** Where the admin token is kept; undefined when the environment gives it. */
	readonly adminTokenFile: string | undefined;
}

/** Eight of the largest images. */
const IMAGE_CACHE_BYTES = 8 * IMAGE_MAX_BYTES;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const METRICS_TOKEN = /^[\x21-\x7e]{16,256}$/;
const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/** Throws `request-malformed` with the name of the variable that is wrong, never its value. */
export function parseSettings(environment: Environment): Settings {
	const dataDirectory = resolve(environment.FOTA_DATA || "data");
	return {
		app: {
			dataDirectory,
			databaseUrl: parseDatabaseUrl(environment.DATABASE_URL),
			s3: parseS3(environment),
			imageCacheBytes: parseImageCache(environment),
			adminToken: environment.FOTA_ADMIN_TOKEN === "off" ? false : environment.FOTA_ADMIN_TOKEN || undefined,
			masterKey: environment.FOTA_MASTER_KEY
				? parseKey(environment.FOTA_MASTER_KEY, "FOTA_MASTER_KEY")
				: undefined,
			isMasterKeyReplaced: parseYes(environment, "FOTA_MASTER_KEY_REPLACED"),
			jwtSecret: environment.FOTA_JWT_SECRET
				? parseKey(environment.FOTA_JWT_SECRET, "FOTA_JWT_SECRET")
				: undefined,
			logRetentionMs:
				DAY_MS *
				parseInteger(environment, "FOTA_LOG_RETENTION_DAYS", { min: 1, max: 36_500, otherwise: 365 }),
			...parseHttpSettings(environment),
			logLevel: parseLogLevel(environment.LOG_LEVEL || "info"),
			maxUploadBytes: parseInteger(environment, "FOTA_MAX_UPLOAD_BYTES", {
				min: IMAGE_MIN_BYTES,
				max: IMAGE_MAX_BYTES,
				otherwise: IMAGE_MAX_BYTES,
			}),
			legacyDeviceTypes: parseNames(environment.FOTA_LEGACY_DEVICE_TYPES || ""),
			metricsToken: parseMetricsToken(environment.FOTA_METRICS_TOKEN),
			arePrivateWebhooksAllowed: environment.FOTA_WEBHOOK_ALLOW_PRIVATE === "1",
			defaultTimeZone: parseTimeZone(environment.FOTA_TIME_ZONE || "UTC"),
			isRolloutNeeded: parseYes(environment, "FOTA_ROLLOUTS_ONLY"),
			silentAfterMs:
				HOUR_MS * parseInteger(environment, "FOTA_SILENT_AFTER_HOURS", { min: 1, max: 8760, otherwise: 24 }),
		},
		listen: {
			port: parseInteger(environment, "PORT", { min: 0, max: 65_535, otherwise: 8080 }),
			host: environment.HOST || "0.0.0.0",
		},
		adminTokenFile: environment.FOTA_ADMIN_TOKEN ? undefined : resolve(dataDirectory, ADMIN_TOKEN_FILE),
	};
}

// Anything else would be taken for a no that nobody said.
function parseYes(environment: Environment, name: string): boolean {
	const text = environment[name] || "no";
	if (text !== "yes" && text !== "no")
		throw new FotaError("request-malformed", `${name} is neither yes nor no`);
	return text === "yes";
}

function parseMetricsToken(text: string | undefined): string | undefined {
	if (text && !METRICS_TOKEN.test(text))
		throw new FotaError("request-malformed", "FOTA_METRICS_TOKEN is not 16 to 256 printable characters");
	return text || undefined;
}

function parseDatabaseUrl(text: string | undefined): string | undefined {
	if (!text) return undefined;
	// The value has a password in it.
	if (!isPostgresUrl(text) || !URL.canParse(text))
		throw new FotaError("request-malformed", "DATABASE_URL is not postgres://user:password@host:port/name");
	return text;
}

function parseS3(environment: Environment): S3Settings | undefined {
	const bucket = environment.S3_BUCKET;
	if (!bucket) return undefined;
	const endpoint = environment.S3_ENDPOINT || undefined;
	if (endpoint !== undefined && !(URL.canParse(endpoint) && /^https?:/.test(endpoint)))
		throw new FotaError("request-malformed", "S3_ENDPOINT is not an http or https URL");
	const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = environment;
	if (!accessKeyId !== !secretAccessKey)
		throw new FotaError("request-malformed", "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY go together");
	return {
		bucket,
		endpoint,
		region: environment.S3_REGION || undefined,
		credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
		prefix: environment.S3_PREFIX || undefined,
		cacheBytes: parseImageCache(environment),
	};
}

function parseImageCache(environment: Environment): number {
	return parseInteger(environment, "FOTA_IMAGE_CACHE_BYTES", {
		min: 0,
		max: 4_294_967_295,
		otherwise: IMAGE_CACHE_BYTES,
	});
}

function parseLogLevel(text: string) {
	const level = LOG_LEVELS.find((name) => name === text);
	if (level === undefined)
		throw new FotaError("request-malformed", `LOG_LEVEL is not one of ${LOG_LEVELS.join(", ")}`);
	return level;
}

function parseTimeZone(text: string): string {
	try {
		checkTimeZone(text);
	} catch (cause) {
		throw new FotaError("request-malformed", "FOTA_TIME_ZONE is no IANA time zone", { cause });
	}
	return text;
}

function parseNames(text: string): string[] {
	const names = text.split(",").flatMap((name) => name.trim() || []);
	if (!names.every((name) => NAME_PATTERN.test(name)))
		throw new FotaError("request-malformed", "FOTA_LEGACY_DEVICE_TYPES is not a list of device types");
	return names;
}
