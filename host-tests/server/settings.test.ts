// The environment variables of the server.
import { describe, expect, it } from "vitest";
import { parseSettings } from "../../server/settings.js";

describe("the environment", () => {
	it("has defaults for everything", () => {
		const { app, listen, adminTokenFile } = parseSettings({});
		expect(app.dataDirectory).toMatch(/[/]data$/);
		expect(adminTokenFile).toMatch(/[/]data[/]admin-token$/);
		expect(listen).toEqual({ port: 8080, host: "0.0.0.0" });
		expect(app).toMatchObject({ logLevel: "info", legacyDeviceTypes: [], maxUploadBytes: 8 * 1024 * 1024 });
	});

	it("sets everything", () => {
		const { app, listen } = parseSettings({
			FOTA_DATA: "/srv/fota",
			S3_BUCKET: "firmware",
			S3_ENDPOINT: "http://store:9000",
			S3_REGION: "eu-1",
			S3_ACCESS_KEY_ID: "key",
			S3_SECRET_ACCESS_KEY: "secret",
			S3_PREFIX: "fota/",
			FOTA_IMAGE_CACHE_BYTES: "1000",
			DATABASE_URL: "postgres://fota:secret@db:5432/fota",
			FOTA_ADMIN_TOKEN: "a-token-of-some-length",
			FOTA_MASTER_KEY: "01".repeat(32),
			FOTA_MASTER_KEY_REPLACED: "yes",
			FOTA_JWT_SECRET: "02".repeat(32),
			FOTA_LOG_RETENTION_DAYS: "30",
			FOTA_TLS_CERT: "/etc/fota/server.crt",
			FOTA_TLS_KEY: "/etc/fota/server.key",
			FOTA_TRUSTED_PROXIES: "10.0.0.0/8, 2001:db8::1",
			FOTA_CORS_ORIGINS: "https://dash.example,http://localhost:5173",
			FOTA_RATE_LIMIT_PER_ADDRESS: "0",
			FOTA_RATE_LIMIT_PER_DEVICE: "100",
			FOTA_LEGACY_DEVICE_TYPES: "a, b-2,",
			FOTA_METRICS_TOKEN: "a-token-for-the-metrics",
			FOTA_WEBHOOK_ALLOW_PRIVATE: "1",
			FOTA_TIME_ZONE: "Europe/Berlin",
			FOTA_ROLLOUTS_ONLY: "yes",
			FOTA_SILENT_AFTER_HOURS: "48",
			FOTA_MAX_UPLOAD_BYTES: "2000000",
			LOG_LEVEL: "debug",
			PORT: "0",
			HOST: "::1",
		});
		expect(listen).toEqual({ port: 0, host: "::1" });
		expect(app).toEqual({
			dataDirectory: "/srv/fota",
			s3: {
				bucket: "firmware",
				endpoint: "http://store:9000",
				region: "eu-1",
				credentials: { accessKeyId: "key", secretAccessKey: "secret" },
				prefix: "fota/",
				cacheBytes: 1000,
			},
			imageCacheBytes: 1000,
			databaseUrl: "postgres://fota:secret@db:5432/fota",
			adminToken: "a-token-of-some-length",
			masterKey: new Uint8Array(32).fill(1),
			isMasterKeyReplaced: true,
			jwtSecret: new Uint8Array(32).fill(2),
			logRetentionMs: 30 * 86_400_000,
			tls: { certPath: "/etc/fota/server.crt", keyPath: "/etc/fota/server.key" },
			trustedProxies: ["10.0.0.0/8", "2001:db8::1"],
			corsOrigins: ["https://dash.example", "http://localhost:5173"],
			rateLimits: { perAddress: 0, perDevice: 100 },
			legacyDeviceTypes: ["a", "b-2"],
			metricsToken: "a-token-for-the-metrics",
			arePrivateWebhooksAllowed: true,
			defaultTimeZone: "Europe/Berlin",
			isRolloutNeeded: true,
			silentAfterMs: 172_800_000,
			maxUploadBytes: 2_000_000,
			logLevel: "debug",
		});
	});

	it("switches the admin token off, and counts proxies", () => {
		const { app } = parseSettings({ FOTA_ADMIN_TOKEN: "off", FOTA_TRUSTED_PROXIES: "2" });
		expect(app).toMatchObject({ adminToken: false, trustedProxies: 2 });
	});

	it.each([
		{ PORT: "http" },
		{ PORT: "65536" },
		{ PORT: "-1" },
		{ FOTA_MASTER_KEY: "secret" },
		{ FOTA_MASTER_KEY: "AB".repeat(32) },
		{ FOTA_TIME_ZONE: "Mars/Base" },
		{ FOTA_SILENT_AFTER_HOURS: "0" },
		{ FOTA_ROLLOUTS_ONLY: "true" },
		{ FOTA_MASTER_KEY_REPLACED: "1" },
		{ FOTA_MAX_UPLOAD_BYTES: "1" },
		{ FOTA_MAX_UPLOAD_BYTES: "99999999" },
		{ LOG_LEVEL: "loud" },
		{ S3_BUCKET: "b", S3_ENDPOINT: "store:9000" },
		{ S3_BUCKET: "b", S3_ACCESS_KEY_ID: "AKTEST" },
		{ DATABASE_URL: "mysql://fota:secret@db/fota" },
		{ DATABASE_URL: "postgres://fota:secret@[db/fota" },
		{ FOTA_LEGACY_DEVICE_TYPES: "a/b" },
		{ FOTA_JWT_SECRET: "secret" },
		{ FOTA_LOG_RETENTION_DAYS: "0" },
		{ FOTA_TLS_CERT: "server.crt" },
		{ FOTA_TRUSTED_PROXIES: "0" },
		{ FOTA_TRUSTED_PROXIES: "10.0.0.0/33" },
		{ FOTA_TRUSTED_PROXIES: "proxy.example" },
		{ FOTA_CORS_ORIGINS: "*" },
		{ FOTA_CORS_ORIGINS: "https://dash.example/" },
		{ FOTA_RATE_LIMIT_PER_DEVICE: "many" },
	])("%j is refused without repeating the value", (environment) => {
		expect(() => parseSettings(environment)).toThrow(expect.objectContaining({ code: "request-malformed" }));
		const value = Object.values(environment).at(-1) ?? "";
		let message = "";
		try {
			parseSettings(environment);
		} catch (error) {
			message = (error as Error).message;
		}
		if (value.length > 5) expect(message).not.toContain(value);
	});
});
