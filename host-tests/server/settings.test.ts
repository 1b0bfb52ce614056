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
			FOTA_LEGACY_DEVICE_TYPES: "a, b-2,",
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
			databaseUrl: "postgres://fota:secret@db:5432/fota",
			adminToken: "a-token-of-some-length",
			masterKey: new Uint8Array(32).fill(1),
			legacyDeviceTypes: ["a", "b-2"],
			maxUploadBytes: 2_000_000,
			logLevel: "debug",
		});
	});

	it.each([
		{ PORT: "http" },
		{ PORT: "65536" },
		{ PORT: "-1" },
		{ FOTA_MASTER_KEY: "secret" },
		{ FOTA_MASTER_KEY: "AB".repeat(32) },
		{ FOTA_MAX_UPLOAD_BYTES: "1" },
		{ FOTA_MAX_UPLOAD_BYTES: "99999999" },
		{ LOG_LEVEL: "loud" },
		{ S3_BUCKET: "b", S3_ENDPOINT: "store:9000" },
		{ S3_BUCKET: "b", S3_ACCESS_KEY_ID: "AKTEST" },
		{ DATABASE_URL: "mysql://fota:secret@db/fota" },
		{ DATABASE_URL: "postgres://fota:secret@[db/fota" },
		{ FOTA_LEGACY_DEVICE_TYPES: "a/b" },
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
