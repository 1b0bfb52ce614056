// /health and /ready, with a store and a database that go away and come back, and the metrics.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { AppOptions } from "../../server/app.js";
import { openImageFolder } from "../../server/stores/image-folder.js";
import { makeDatabase, startTestPostgres } from "../support/postgres.js";
import { ADMIN_TOKEN, problemOf, ServerRig } from "./server-rig.js";
import { databaseKind } from "./test-database.js";

let rig: ServerRig | undefined;
afterEach(() => rig?.close());

async function open(options: AppOptions = {}): Promise<ServerRig> {
	rig = await ServerRig.create(options);
	return rig;
}

describe("a server", () => {
	it("says that it is ready, and to operators why", async () => {
		const { server } = await open();
		expect((await server.inject("/health")).json()).toEqual({ status: "ok" });
		expect((await server.inject("/ready")).json()).toEqual({ status: "ready" });
		expect((await server.inject("/api/ready")).statusCode).toBe(401);
		const ok = { ok: true, duration_ms: expect.any(Number), reason: null };
		expect((await rig?.get("/api/ready"))?.json()).toEqual({
			ready: true,
			checks: { database: ok, migrations: ok, images: ok },
		});
	});

	it("is not ready while its image store is away, lives on, and is ready again after it", async () => {
		const directory = await mkdtemp(join(tmpdir(), "fota-ready-test-"));
		const store = { ...(await openImageFolder({ directory })) };
		const check = store.check;
		let mode: "there" | "gone" | "silent" = "there";
		store.check = async () => {
			if (mode === "gone") throw Object.assign(new Error(`${directory} is secret`), { code: "EIO" });
			return mode === "silent" ? new Promise(() => {}) : check();
		};
		const { server } = await open({ images: store });
		mode = "gone";
		const refused = await server.inject("/ready");
		expect(problemOf(refused)).toBe("503 server-unavailable");
		expect(refused.headers["retry-after"]).toBe("10");
		expect(refused.body).not.toContain(directory);
		expect((await server.inject("/health")).statusCode).toBe(200);
		expect((await rig?.get("/api/ready"))?.json().checks.images).toMatchObject({ ok: false, reason: "EIO" });
		mode = "silent";
		const reason = async () => (await rig?.get("/api/ready"))?.json().checks.images.reason;
		await expect.poll(reason).toBe("no answer in time");
		mode = "there";
		await expect.poll(async () => (await server.inject("/ready")).statusCode).toBe(200);
		await rm(directory, { recursive: true });
	});

	it.runIf(databaseKind === "PostgreSQL")(
		"is not ready while PostgreSQL is away, and is again after it, metrics included",
		async () => {
			const postgres = await startTestPostgres();
			const metricsToken = "token-of-the-scraper";
			const { server } = await open({ databaseUrl: await makeDatabase(postgres.url, "ready"), metricsToken });
			const scrape = async () =>
				(await server.inject({ url: "/metrics", headers: { authorization: `Bearer ${metricsToken}` } })).body;
			expect(await scrape()).toContain("fota_database_up 1");
			await postgres.pause();
			await expect.poll(async () => problemOf(await server.inject("/ready"))).toBe("503 server-unavailable");
			await postgres.resume();
			await expect.poll(async () => (await server.inject("/ready")).statusCode).toBe(200);
			await rig?.close();
			await postgres.stop();
		},
	);
});

describe("metrics", () => {
	const scrape = async (token = ADMIN_TOKEN) => {
		const headers = { authorization: `Bearer ${token}` };
		return rig?.server.inject({ url: "/metrics", headers });
	};
	const numberOf = (text: string, start: string) => {
		const line = text.split("\n").find((one) => one.startsWith(`${start} `));
		return line === undefined ? undefined : Number(line.slice(start.length));
	};

	it("count requests, polls, reports, refusals and the fleet, and name no device", async () => {
		const one = await open();
		const { server } = one;
		const device = await one.device("secret-device-name");
		await one.publish();
		await device.manifest(server);
		await device.manifest(server, "1.1.0");
		await device.report(server, { version: "1.0.0" });
		await device.send(server, "/api/inverter/fota/status", { method: "POST", body: "{" });
		await server.inject({ url: "/api/cloud/fota/status", headers: { authorization: "Bearer wrong" } });
		await server.inject({ url: "/no/such/path/secret-device-name" });
		await server.inject({
			url: device.manifestTarget(),
			headers: { authorization: `FOTA-HMAC-SHA256 device="x", nonce="1", mac="${"0".repeat(64)}"` },
		});
		const text = (await scrape())?.body ?? "";
		const all = {
			'fota_device_polls_total{outcome="offered"}': 1,
			'fota_device_polls_total{outcome="nothing_new"}': 1,
			'fota_device_polls_total{outcome="refused"}': 1,
			'fota_device_reports_total{outcome="accepted"}': 1,
			'fota_device_reports_total{outcome="refused"}': 1,
			'fota_security_refusals_total{type="auth_failed",cause="unknown device"}': 1,
			'fota_http_requests_total{method="GET",route="none",status="404"}': 1,
			fota_database_up: 1,
			fota_devices: 1,
			fota_legacy_devices: 0,
			'fota_devices_by_version{device_type="thermostat",version="1.0.0"}': 1,
		};
		const found = Object.fromEntries(Object.keys(all).map((name) => [name, numberOf(text, name)]));
		expect(found).toEqual(all);
		expect(text).not.toContain("secret-device-name");
		expect(text).toContain("nodejs_eventloop_lag_seconds");
		expect(text).toMatch(/# HELP fota_http_requests_total .*\(this process\)/);
		expect(text).toMatch(/# HELP fota_devices .*\(from the database/);
		expect(new Set(text.split("\n").filter((line) => line.startsWith("# HELP"))).size).toBe(
			text.split("\n").filter((line) => line.startsWith("# HELP")).length,
		);
	});

	it("need a viewer, or the scraper's own token where it has one", async () => {
		await open();
		expect((await rig?.server.inject("/metrics"))?.statusCode).toBe(401);
		expect((await scrape())?.statusCode).toBe(200);
		await rig?.close();
		await open({ metricsToken: "token-of-the-scraper" });
		expect((await rig?.server.inject("/metrics"))?.statusCode).toBe(401);
		expect((await scrape())?.statusCode).toBe(401);
		expect((await scrape("token-of-the-scraper"))?.statusCode).toBe(200);
		const headers = { authorization: "Bearer token-of-the-scraper" };
		expect((await rig?.server.inject({ url: "/api/webhooks", headers }))?.statusCode).toBe(401);
	});
});
