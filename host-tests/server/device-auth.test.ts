// Who is let in as a device, who is not, and what is answered with a MAC.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemOf, ServerRig } from "./server-rig.js";
import { TestDevice } from "./test-device.js";

const ROLLBACK_STATUS = "/api/inverter/fota/rollback-status";

describe("device authentication", () => {
	let rig: ServerRig;
	beforeAll(async () => {
		rig = await ServerRig.create();
	});
	afterAll(() => rig.close());

	it("lets in a device with a right MAC and authenticates the answer", async () => {
		const device = await rig.device("auth-1");
		const answer = await device.send(rig.server, ROLLBACK_STATUS);
		expect(answer.statusCode).toBe(200);
		expect(device.hasRightMac(answer)).toBe(true);
		expect(device.hasRightMac(answer, device.nonce + 1)).toBe(false);
	});

	it("derives the key of docs/protocol.md §3.1 from the master key and the device id", async () => {
		const device = await rig.device("derived-1");
		const { hkdfSync } = await import("node:crypto");
		const expected = hkdfSync("sha256", Buffer.alloc(32, 7), "fota device key 1", "derived-1", 32);
		expect(device.key.toString("hex")).toBe(Buffer.from(expected).toString("hex"));
	});

	it("takes over an imported key", async () => {
		const key = "ab".repeat(32);
		const device = await rig.device("imported-1", { device_key: key });
		expect(device.key.toString("hex")).toBe(key);
		expect((await device.send(rig.server, ROLLBACK_STATUS)).statusCode).toBe(200);
	});

	it("refuses a request without a credential, without a MAC on the answer", async () => {
		const answer = await rig.server.inject(ROLLBACK_STATUS);
		expect(problemOf(answer)).toBe("401 auth-missing");
		expect(answer.headers["fota-mac"]).toBeUndefined();
		expect(answer.headers["www-authenticate"]).toBe("FOTA-HMAC-SHA256");
	});

	it.each([
		["another scheme", "Bearer abc"],
		["a malformed header", 'FOTA-HMAC-SHA256 device="x", nonce="01", mac="00"'],
		["nonce 0", `FOTA-HMAC-SHA256 device="x", nonce="0", mac="${"0".repeat(64)}"`],
		["a nonce beyond 2^53", `FOTA-HMAC-SHA256 device="x", nonce="9999999999999999", mac="${"0".repeat(64)}"`],
		["an endless header", `FOTA-HMAC-SHA256 device="${"x".repeat(4000)}"`],
	])("refuses %s", async (_name, authorization) => {
		const answer = await rig.server.inject({ url: ROLLBACK_STATUS, headers: { authorization } });
		expect(problemOf(answer)).toBe("401 auth-failed");
		expect(answer.headers["fota-mac"]).toBeUndefined();
	});

	it("refuses an unknown device and a wrong MAC alike, and writes both to the security log", async () => {
		const device = await rig.device("auth-2");
		const stranger = new TestDevice({ deviceId: "nobody", keyHex: "00".repeat(32) });
		const forger = new TestDevice({ deviceId: "auth-2", keyHex: "00".repeat(32) });
		const answers = [
			await stranger.send(rig.server, ROLLBACK_STATUS),
			await forger.send(rig.server, ROLLBACK_STATUS),
		];
		expect(answers.map(problemOf)).toEqual(["401 auth-failed", "401 auth-failed"]);
		expect(answers[0]?.body).toBe(answers[1]?.body);
		expect(answers[1]?.headers["fota-mac"]).toBeUndefined();
		expect(await rig.eventTypes("security", "&device_id=auth-2")).toEqual(["auth_failed"]);
		expect(await rig.eventTypes("security", "&device_id=nobody")).toEqual(["auth_failed"]);
		expect((await device.send(rig.server, ROLLBACK_STATUS)).statusCode).toBe(200);
	});

	it("refuses an unknown device that derives its MAC rightly from an empty key", async () => {
		const stranger = new TestDevice({ deviceId: "nobody", keyHex: "" });
		expect(problemOf(await stranger.send(rig.server, ROLLBACK_STATUS))).toBe("401 auth-failed");
	});

	it("refuses a changed query, a changed body, and another method", async () => {
		const device = await rig.device("auth-3");
		const target = device.manifestTarget();
		const changed = [
			await device.send(rig.server, `${target}&x=1`, { macTarget: target }),
			await device.send(rig.server, "/api/inverter/fota/status", {
				method: "POST",
				body: "{}",
				macBody: "{ }",
			}),
			await device.send(rig.server, ROLLBACK_STATUS, { macTarget: `${ROLLBACK_STATUS}?` }),
		];
		for (const answer of changed) expect(problemOf(answer)).toBe("401 auth-failed");
	});

	it("answers a replayed request with the next nonce, authenticated, and without effect", async () => {
		const device = await rig.device("auth-4");
		const target = "/api/inverter/fota/status";
		const body = JSON.stringify({});
		const authorization = device.authorization(target, { method: "POST", body, nonce: 41 });
		const send = () =>
			rig.server.inject({ method: "POST", url: target, payload: body, headers: { authorization } });
		expect(problemOf(await send())).toBe("400 request-malformed");
		const replayed = await send();
		expect(problemOf(replayed)).toBe("401 nonce-stale");
		expect(replayed.json().next_nonce).toBe(42);
		expect(device.hasRightMac(replayed, 41)).toBe(true);
		expect(await rig.eventTypes("security", "&device_id=auth-4")).toEqual([]);
		await send();
		expect(await rig.eventTypes("security", "&device_id=auth-4")).toEqual(["nonce_replayed"]);
	});

	it("does not use up a nonce for a request with a wrong MAC", async () => {
		const device = await rig.device("auth-5");
		const forger = new TestDevice({ deviceId: "auth-5", keyHex: "11".repeat(32) });
		await forger.send(rig.server, ROLLBACK_STATUS, { nonce: Number.MAX_SAFE_INTEGER });
		expect((await device.send(rig.server, ROLLBACK_STATUS, { nonce: 1 })).statusCode).toBe(200);
	});

	it("lets exactly one of many requests with the same nonce in", async () => {
		const device = await rig.device("auth-6");
		const requests = Array.from({ length: 8 }, () => device.send(rig.server, ROLLBACK_STATUS, { nonce: 5 }));
		const statuses = (await Promise.all(requests)).map((answer) => answer.statusCode);
		expect(statuses.sort()).toEqual([200, 401, 401, 401, 401, 401, 401, 401]);
	});

	it("takes no nonce that is far ahead: a device cannot be made mute for ever", async () => {
		const device = await rig.device("auth-7");
		const step = 2 ** 41;
		const ask = (nonce: number) => device.send(rig.server, ROLLBACK_STATUS, { nonce });
		expect(problemOf(await ask(Number.MAX_SAFE_INTEGER))).toBe("401 auth-failed");
		expect(problemOf(await ask(step + 1))).toBe("401 auth-failed");
		// Where a device that lost its storage may begin, and the next life of one that began there.
		expect((await ask(2 ** 40)).statusCode).toBe(200);
		expect((await ask(2 ** 40 + step)).statusCode).toBe(200);
		expect((await ask(2 ** 40)).json().next_nonce).toBe(2 ** 40 + step + 1);
	});

	it("answers a known device's malformed request with a MAC", async () => {
		const device = await rig.device("auth-8");
		const answer = await device.send(rig.server, "/api/inverter/fota/manifest?chunk_size=many");
		expect(problemOf(answer)).toBe("400 request-malformed");
		expect(device.hasRightMac(answer)).toBe(true);
		expect(answer.headers["content-type"]).toBe("application/problem+json");
	});

	it("keeps the nonces of a device that is registered again, and takes its new key", async () => {
		const device = await rig.device("auth-9");
		await device.send(rig.server, ROLLBACK_STATUS, { nonce: 100 });
		const again = await rig.device("auth-9", { device_key: "cd".repeat(32) });
		expect(problemOf(await device.send(rig.server, ROLLBACK_STATUS, { nonce: 200 }))).toBe("401 auth-failed");
		expect(problemOf(await again.send(rig.server, ROLLBACK_STATUS, { nonce: 100 }))).toBe("401 nonce-stale");
		expect((await again.send(rig.server, ROLLBACK_STATUS, { nonce: 101 })).statusCode).toBe(200);
		expect(await rig.eventTypes("security", "&type=device_key_replaced")).toEqual(["device_key_replaced"]);
	});

	it("bounds what strangers can write to the security log", async () => {
		rig.clock.nowMs += 120_000;
		const before = (await rig.eventTypes("security")).length;
		const headers = { authorization: "nonsense" };
		for (let i = 0; i < 100; i++) await rig.server.inject({ url: ROLLBACK_STATUS, headers });
		expect((await rig.eventTypes("security")).length - before).toBe(20);
		rig.clock.nowMs += 60_000;
		await rig.server.inject({ url: ROLLBACK_STATUS, headers });
		const last = (await rig.get("/api/cloud/logs/security?limit=1")).json().events[0];
		expect(last.details.left_out).toBe(80);
	});
});

describe("devices of the old system", () => {
	let rig: ServerRig;
	beforeAll(async () => {
		rig = await ServerRig.create({ legacyDeviceTypes: ["old-inverter"] });
	});
	afterAll(() => rig.close());
	const legacy = (deviceId: string, url = ROLLBACK_STATUS) =>
		rig.server.inject({ url, headers: { "device-id": deviceId } });

	it("are let in by Device-ID alone where it is switched on, and marked", async () => {
		await rig.device("old-1", { deviceType: "old-inverter" });
		const answer = await legacy("old-1");
		expect(answer.json()).toEqual({ rollback: false });
		expect(answer.headers["fota-mac"]).toBeUndefined();
		expect((await rig.get("/api/cloud/fota/status?device_id=old-1")).json().is_legacy).toBe(true);
	});

	it("are refused for other device types, unknown ids and malformed ids", async () => {
		await rig.device("new-1");
		for (const id of ["new-1", "nobody", "a b", ""])
			expect(problemOf(await legacy(id))).toBe("401 auth-failed");
	});

	it("are refused once the device has proved itself with a MAC", async () => {
		const device = await rig.device("old-2", { deviceType: "old-inverter" });
		expect((await legacy("old-2")).statusCode).toBe(200);
		await device.send(rig.server, ROLLBACK_STATUS);
		expect(problemOf(await legacy("old-2"))).toBe("401 auth-failed");
		expect((await rig.get("/api/cloud/fota/status?device_id=old-2")).json().is_legacy).toBe(false);
	});

	it("get the manifest and JSON chunks of it without naming anything", async () => {
		await rig.device("old-3", { deviceType: "old-inverter", chip: "esp32" });
		const image = await rig.publish({ statement: { deviceType: "old-inverter" } });
		expect(problemOf(await legacy("old-3", "/api/inverter/fota/chunk?chunk_number=0"))).toBe(
			"404 release-unknown",
		);
		const manifest = (await legacy("old-3", "/api/inverter/fota/manifest")).json();
		expect(manifest).toMatchObject({
			version: "1.1.0",
			size: image.length,
			chunk_size: 16_384,
			total_chunks: 1,
		});
		const chunk = (await legacy("old-3", "/api/inverter/fota/chunk?chunk_number=0")).json();
		expect(Buffer.from(chunk.data, "base64").equals(Buffer.from(image))).toBe(true);
	});
});
