// The operator's routes but upload and status, and what is no route.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeReleaseKey } from "./release-kit.js";
import { ADMIN_TOKEN, problemOf, ServerRig } from "./server-rig.js";

let rig: ServerRig;
beforeAll(async () => {
	rig = await ServerRig.create();
});
afterAll(() => rig.close());

const ROUTES = [
	["POST", "/api/cloud/fota/upload"],
	["POST", "/api/cloud/fota/release-keys"],
	["GET", "/api/cloud/fota/release-keys"],
	["GET", "/api/cloud/fota/releases"],
	["POST", "/api/cloud/fota/releases/1/deactivate"],
	["POST", "/api/cloud/fota/devices"],
	["GET", "/api/cloud/fota/devices"],
	["GET", "/api/cloud/fota/status"],
	["POST", "/api/cloud/fota/rollback"],
	["GET", "/api/cloud/logs/fota"],
	["GET", "/api/cloud/logs/security"],
] as const;

describe("operator routes", () => {
	it.each(ROUTES)("%s %s wants the admin token", async (method, url) => {
		expect(problemOf(await rig.server.inject({ method, url }))).toBe("401 auth-missing");
		for (const authorization of [
			"Bearer",
			"Bearer wrong-token-wrong",
			`Token ${ADMIN_TOKEN}`,
			`Bearer ${ADMIN_TOKEN} x`,
		]) {
			const answer = await rig.server.inject({ method, url, headers: { authorization } });
			expect(problemOf(answer)).toBe("401 auth-failed");
		}
	});

	it("write a wrong token to the security log, but not the token", async () => {
		const { events } = (await rig.get("/api/cloud/logs/security?type=admin_auth_failed&limit=1")).json();
		// Of the routes before, as many as one address may fill the log with.
		const method = expect.stringMatching(/^[A-Z]+$/);
		expect(events[0].details).toEqual({
			address: "127.0.0.1",
			method,
			path: expect.stringMatching(/^\/api\//),
		});
		expect((await rig.get("/api/cloud/logs/security")).body).not.toContain("wrong-token");
	});
});

describe("devices", () => {
	it("are registered, registered again with the same key, and listed without their keys", async () => {
		const body = { device_id: "reg-1", device_type: "pump", chip: "esp32s3" };
		const first = await rig.post("/api/cloud/fota/devices", body);
		expect(first.statusCode).toBe(201);
		expect(first.json().device_key).toMatch(/^[0-9a-f]{64}$/);
		expect(first.headers["cache-control"]).toBe("no-store");
		const again = await rig.post("/api/cloud/fota/devices", body);
		expect(again.statusCode).toBe(200);
		expect(again.json()).toEqual(first.json());
		const list = await rig.get("/api/cloud/fota/devices");
		expect(list.json().devices).toContainEqual(
			expect.objectContaining({ device_id: "reg-1", device_type: "pump", chip: "esp32s3", key: "derived" }),
		);
		expect(list.body).not.toContain(first.json().device_key);
	});

	it("lose the rollback orders that wait for them when they are registered again", async () => {
		const device = await rig.device("reg-2");
		await rig.post("/api/cloud/fota/rollback", { device_id: "reg-2", reason: "meant for the board before" });
		const ask = async (nonce: number) =>
			(await device.send(rig.server, "/api/inverter/fota/rollback-status", { nonce })).json();
		expect(await ask(10)).toMatchObject({ rollback: true });
		await rig.post("/api/cloud/fota/devices", { device_id: "reg-2", device_type: "pump" });
		expect(await ask(11)).toMatchObject({ rollback: false });
	});

	it("are listed and reported in pages", async () => {
		for (const id of ["page-1", "page-2", "page-3"]) await rig.device(id);
		for (const path of ["devices", "status"]) {
			const first = (await rig.get(`/api/cloud/fota/${path}?after=page-0&limit=2`)).json();
			expect(first.devices.map((device: { device_id: string }) => device.device_id)).toEqual([
				"page-1",
				"page-2",
			]);
			const second = (await rig.get(`/api/cloud/fota/${path}?after=${first.next_after}&limit=2`)).json();
			expect(second.devices[0].device_id).toBe("page-3");
		}
	});

	it.each([
		{ device_type: "pump" },
		{ device_id: "x", device_type: "" },
		{ device_id: "../x", device_type: "pump" },
		{ device_id: "x".repeat(33), device_type: "pump" },
		{ device_id: "x", device_type: "pump", chip: "z80" },
		{ device_id: "x", device_type: "pump", device_key: "AB".repeat(32) },
		{ device_id: "x", device_type: "pump", device_key: "ab" },
		{ device_id: "x", device_type: "pump", admin: true },
		{ device_id: 7, device_type: "pump" },
	])("are not registered as %j", async (body) => {
		expect(problemOf(await rig.post("/api/cloud/fota/devices", body))).toBe("400 request-malformed");
	});

	it("that nobody registered have no status", async () => {
		expect(problemOf(await rig.get("/api/cloud/fota/status?device_id=nobody"))).toBe("404 device-unknown");
	});
});

describe("release keys", () => {
	it("are registered once, noted, and listed", async () => {
		const { publicKeyHex, keyId } = makeReleaseKey();
		const first = await rig.post("/api/cloud/fota/release-keys", { public_key: publicKeyHex });
		expect([first.statusCode, first.json()]).toEqual([201, { key_id: keyId, public_key: publicKeyHex }]);
		expect((await rig.post("/api/cloud/fota/release-keys", { public_key: publicKeyHex })).statusCode).toBe(
			200,
		);
		expect((await rig.get("/api/cloud/fota/release-keys")).body).toContain(keyId);
		const { events } = (await rig.get("/api/cloud/logs/security?type=release_key_added")).json();
		expect(
			events.filter((event: { details: { key_id: string } }) => event.details.key_id === keyId),
		).toHaveLength(1);
	});

	it.each([
		["a point off the curve", `04${"1".repeat(128)}`],
		["a compressed point", `02${"1".repeat(64)}`],
		["upper case", `04${"A".repeat(128)}`],
		["nothing", ""],
	])("of %s are refused", async (_name, publicKey) => {
		const answer = await rig.post("/api/cloud/fota/release-keys", { public_key: publicKey });
		expect(problemOf(answer)).toBe("400 request-malformed");
	});
});

describe("releases", () => {
	it("are withdrawn once and stay listed; unknown ones are not", async () => {
		await rig.publish();
		const { releases } = (await rig.get("/api/cloud/fota/releases?device_type=thermostat")).json();
		const url = `/api/cloud/fota/releases/${releases[0].id}/deactivate`;
		for (let i = 0; i < 2; i++) expect((await rig.post(url)).json()).toMatchObject({ is_active: false });
		expect(await rig.eventTypes("fota", "&type=release_deactivated")).toHaveLength(1);
		expect((await rig.get("/api/cloud/fota/releases?device_type=none")).json().releases).toEqual([]);
		expect(problemOf(await rig.post("/api/cloud/fota/releases/999/deactivate"))).toBe("404 release-unknown");
		expect(problemOf(await rig.post("/api/cloud/fota/releases/x/deactivate"))).toBe("400 request-malformed");
	});
});

describe("the logs", () => {
	it("give the newest events, or those behind a given one, always in rising order", async () => {
		for (let i = 0; i < 5; i++) await rig.device(`log-${i}`);
		const all = (await rig.get("/api/cloud/logs/fota?type=device_registered&limit=500")).json();
		const ids: number[] = all.events.map((event: { id: number }) => event.id);
		expect(ids).toEqual([...ids].sort((a, b) => a - b));
		const newest = (await rig.get("/api/cloud/logs/fota?type=device_registered&limit=2")).json();
		expect(newest.events).toEqual(all.events.slice(-2));
		const from = (
			await rig.get(`/api/cloud/logs/fota?type=device_registered&after=${ids[0]}&limit=2`)
		).json();
		expect(from.events).toEqual(all.events.slice(1, 3));
		expect(from.next_after).toBe(ids[2]);
		const end = (await rig.get(`/api/cloud/logs/fota?after=${all.next_after}`)).json();
		expect(end).toEqual({ events: [], next_after: all.next_after, next_before: null });
	});

	it.each([
		"limit=0",
		"limit=501",
		"limit=x",
		"after=-1",
		"type=UPPER",
		"device_id=a b",
		"unknown=1",
		"limit=1&limit=2",
	])("refuse the query %s", async (query) => {
		expect(problemOf(await rig.get(`/api/cloud/logs/fota?${query}`))).toBe("400 request-malformed");
	});
});

describe("what is no route", () => {
	it("is 404 as a problem", async () => {
		for (const url of [
			"/",
			"/api",
			"/api/cloud/fota/upload/",
			"/api/cloud/fota/releases/1/2/deactivate",
			"/%ff",
			"/..%2f..",
		])
			expect((await rig.server.inject(url)).statusCode).toBeOneOf([400, 404]);
		const answer = await rig.server.inject("/nothing");
		expect(problemOf(answer)).toBe("404 not-found");
		expect(answer.headers["content-type"]).toBe("application/problem+json");
	});

	it("is 405 with the methods there are, where only the method is wrong", async () => {
		const answer = await rig.server.inject({ method: "DELETE", url: "/api/cloud/fota/release-keys?x=1" });
		expect(problemOf(answer)).toBe("405 request-malformed");
		expect(answer.headers.allow).toBe("GET, POST");
		const one = await rig.server.inject({ method: "GET", url: "/api/cloud/fota/releases/7/deactivate" });
		expect(one.headers.allow).toBe("POST");
	});

	it("is 415 for a body of a type nobody reads, 400 for broken JSON, 414 for an endless URL", async () => {
		const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
		const post = (contentType: string, payload: string) =>
			rig.server.inject({
				method: "POST",
				url: "/api/cloud/fota/rollback",
				headers: { ...headers, "content-type": contentType },
				payload,
			});
		expect(problemOf(await post("text/xml", "<a/>"))).toBe("415 request-malformed");
		expect(problemOf(await post("application/json", "{"))).toBe("400 request-malformed");
		expect(problemOf(await post("application/json", ""))).toBe("400 request-malformed");
		expect(problemOf(await post("application/json", '{"__proto__":{"a":1}}'))).toBe("400 request-malformed");
		expect(problemOf(await post("application/json", "x".repeat(9000)))).toBe("413 upload-too-large");
		const long = await rig.server.inject({ url: `/api/cloud/logs/fota?type=${"a".repeat(3000)}`, headers });
		expect(problemOf(long)).toBe("414 request-malformed");
	});

	it("has a health of its own, without a credential", async () => {
		expect((await rig.server.inject("/health")).json()).toEqual({ status: "ok" });
	});
});
