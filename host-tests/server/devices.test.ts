// Devices for the operator: found, sorted, taken out of service, given new keys; and the history of their updates.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RolloutRig } from "./rollout-rig.js";
import { problemOf } from "./server-rig.js";
import { TestDevice } from "./test-device.js";

let rig: RolloutRig;
beforeEach(async () => {
	rig = await RolloutRig.start();
});
afterEach(() => rig.close());

const target = { version: "1.1.0", hash: "a".repeat(64) };

describe("devices", () => {
	it("are found by group, tag, type, version, state and when they were last seen", async () => {
		await rig.fleet(4);
		await rig.device("pump-1", { deviceType: "pump" });
		await rig.send("PATCH", "/api/devices/dev-000", { group: "lab", channel: "beta", note: "by the door" });
		await rig.send("PUT", "/api/devices/dev-001/tags", { tags: ["roof", "old"] });
		await rig.post("/api/devices/dev-002/decommission", { reason: "broken" });
		const find = async (query: string) => {
			const { devices } = (await rig.get(`/api/devices?${query}`)).json();
			return devices.map((device: { device_id: string }) => device.device_id);
		};
		expect(await find("group=lab")).toEqual(["dev-000"]);
		expect(await find("tag=roof")).toEqual(["dev-001"]);
		expect(await find("device_type=pump")).toEqual(["pump-1"]);
		expect(await find("version=1.0.0&state=active")).toEqual(["dev-000", "dev-001", "dev-003"]);
		expect(await find("state=decommissioned")).toEqual(["dev-002"]);
		const now = new Date(rig.clock.nowMs + 1).toISOString();
		expect(await find(`seen_after=${now}`)).toEqual([]);
		expect(await find(`seen_before=${now}&device_type=pump`)).toEqual(["pump-1"]);
		expect(await find("after=dev-001&limit=2")).toEqual(["dev-002", "dev-003"]);
		expect((await rig.get("/api/devices/dev-000")).json()).toMatchObject({
			group: "lab",
			channel: "beta",
			note: "by the door",
			tags: [],
		});
		await rig.send("PATCH", "/api/devices/dev-000", { group: null, note: null });
		expect(await find("group=lab")).toEqual([]);
		expect((await rig.get("/api/devices/dev-001")).json().tags).toEqual(["old", "roof"]);
	});

	it.each([
		["PATCH", "/api/devices/dev-000", {}],
		["PATCH", "/api/devices/dev-000", { group: "a b" }],
		["PATCH", "/api/devices/dev-000", { channel: "nightly" }],
		["PATCH", "/api/devices/dev-000", { device_type: "pump" }],
		["PUT", "/api/devices/dev-000/tags", { tags: ["a", "a"] }],
		["PUT", "/api/devices/dev-000/tags", { tags: Array.from({ length: 33 }, (_, index) => `t${index}`) }],
	] as const)("refuse %s %s %j", async (method, url, body) => {
		await rig.fleet(1);
		expect(problemOf(await rig.send(method, url, body))).toBe("400 request-malformed");
	});

	it("that nobody registered are unknown", async () => {
		expect(problemOf(await rig.get("/api/devices/nobody"))).toBe("404 device-unknown");
		expect(problemOf(await rig.get("/api/devices/nobody/updates"))).toBe("404 device-unknown");
		expect(problemOf(await rig.post("/api/devices/nobody/key", { reason: "x" }))).toBe("404 device-unknown");
	});

	it("out of service are refused at once, with their orders and updates ended, and let in when reinstated", async () => {
		const [one] = await rig.fleet(1);
		if (one === undefined) throw new Error("no device");
		await rig.post("/api/cloud/fota/rollback", { device_id: one.id, reason: "x" });
		await one.device.report(rig.server, { state: "DOWNLOADING", target });
		await rig.post(`/api/devices/${one.id}/decommission`, { reason: "stolen" });
		expect(problemOf(await one.device.manifest(rig.server))).toBe("401 auth-failed");
		const { updates } = (await rig.get(`/api/devices/${one.id}/updates`)).json();
		expect(updates[0]).toMatchObject({ status: "aborted" });
		const again = { device_id: one.id, device_type: "thermostat" };
		expect(problemOf(await rig.post("/api/cloud/fota/devices", again))).toBe("409 device-decommissioned");
		await rig.post(`/api/devices/${one.id}/reinstate`, { reason: "found" });
		const order = await one.device.send(rig.server, "/api/inverter/fota/rollback-status");
		expect(order.json()).toEqual({ rollback: false });
		expect(await rig.eventTypes("fota", `&device_id=${one.id}`)).toEqual(
			expect.arrayContaining(["device_decommissioned", "device_reinstated"]),
		);
	});

	it("get a new key each time they are given one, and the old one is worth nothing", async () => {
		const first = await rig.device("dev-1");
		await first.report(rig.server);
		const keys = new Set([first.key.toString("hex")]);
		let device = first;
		for (let turn = 0; turn < 2; turn++) {
			const answer = await rig.post("/api/devices/dev-1/key", { reason: "it got out" });
			expect(answer.headers["cache-control"]).toBe("no-store");
			const keyHex: string = answer.json().device_key;
			keys.add(keyHex);
			expect(problemOf(await device.manifest(rig.server))).toBe("401 auth-failed");
			device = new TestDevice({ deviceId: "dev-1", keyHex });
			device.nonce = 1;
			expect((await device.manifest(rig.server)).statusCode).toBe(204);
		}
		expect(keys.size).toBe(3);
		// Provisioned again it keeps the key of its generation.
		const again = await rig.device("dev-1");
		expect(again.key.equals(device.key)).toBe(true);
		const imported = "ab".repeat(32);
		await rig.post("/api/devices/dev-1/key", { reason: "known", device_key: imported });
		expect(problemOf(await rig.post("/api/devices/dev-1/key", { reason: "x", device_key: imported }))).toBe(
			"400 request-malformed",
		);
		expect((await rig.get("/api/devices/dev-1")).body).not.toContain(imported);
		// Provisioned again it has a derived key, and none that was used before: one of them may be why a key was imported.
		keys.add((await rig.device("dev-1")).key.toString("hex"));
		expect(keys.size).toBe(4);
	});

	it("are believed from their first report on under a new key, with which their nonces begin anew", async () => {
		const far = await rig.device("dev-1");
		far.nonce = 2 ** 40;
		expect((await far.report(rig.server)).statusCode).toBe(200);
		const { device_key: keyHex } = (await rig.post("/api/devices/dev-1/key", { reason: "astray" })).json();
		const device = new TestDevice({ deviceId: "dev-1", keyHex });
		device.nonce = 1;
		expect((await device.report(rig.server, { version: "1.0.1" })).statusCode).toBe(200);
		expect((await rig.get("/api/devices/dev-1")).json().version).toBe("1.0.1");
	});

	it("keep what is known of them when they are registered again with their key, and not with another one", async () => {
		const [one] = await rig.fleet(1);
		if (one === undefined) throw new Error("no device");
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		await one.poll(rig.server);
		const slots = async () => (await rig.get(`/api/devices/${one.id}`)).json().slots.length;
		const again = await rig.device(one.id);
		expect(again.key.equals(one.device.key)).toBe(true);
		expect([await slots(), (await rig.state(id)).counts.succeeded]).toEqual([2, 1]);
		expect(await rig.eventTypes("security", `&device_id=${one.id}`)).toEqual([]);
		const old = one.device;
		await rig.replaceBoard(one);
		expect(one.device.key.equals(old.key)).toBe(false);
		expect(problemOf(await old.manifest(rig.server))).toBe("401 auth-failed");
		expect([await slots(), (await rig.state(id)).counts.succeeded]).toEqual([0, 0]);
		const status = (await rig.get(`/api/cloud/fota/status?device_id=${one.id}`)).json();
		expect(status).toMatchObject({ fota_state: null, reported_at: null });
		expect(await rig.eventTypes("security", `&device_id=${one.id}&type=device_key_replaced`)).toHaveLength(1);
		expect(await one.poll(rig.server)).toBe(200);
		const both = { device_id: one.id, device_type: "thermostat", new_key: true, device_key: "ab".repeat(32) };
		expect(problemOf(await rig.post("/api/cloud/fota/devices", both))).toBe("400 request-malformed");
	});

	it("show what is in their slots, told by them or seen from outside", async () => {
		const device = await rig.device("dev-1");
		const slots = async () =>
			(await rig.get("/api/devices/dev-1"))
				.json()
				.slots.map(({ slot, version, hash, state }: Record<string, string>) => [slot, version, hash, state]);
		await device.report(rig.server);
		expect(await slots()).toEqual([["ota_0", "1.0.0", null, "running"]]);
		const updated = { slot: "ota_1", version: "1.1.0", target };
		await device.report(rig.server, { ...updated, state: "BOOT_VERIFICATION", trialBoots: 1 });
		expect((await slots())[1]).toEqual(["ota_1", "1.1.0", target.hash, "trial"]);
		await device.report(rig.server, { ...updated, state: "COMPLETED", trialBoots: 0 });
		expect(await slots()).toEqual([
			["ota_0", "1.0.0", null, "previous"],
			["ota_1", "1.1.0", target.hash, "running"],
		]);
		const told = [{ label: "ota_0", state: "invalid" as const, version: "1.2.0", hash: undefined }];
		await device.report(rig.server, { slot: "ota_1", version: "1.1.0", slots: told });
		expect((await slots())[0]).toEqual(["ota_0", "1.2.0", null, "invalid"]);
		// Back on the image before, whose hash the device has forgotten.
		const back = [{ label: "ota_1", state: "previous" as const, version: "1.1.0", hash: undefined }];
		await device.report(rig.server, { slot: "ota_0", version: "1.2.0", slots: back });
		expect((await slots())[1]).toEqual(["ota_1", "1.1.0", target.hash, "previous"]);
	});
});

describe("the history of updates", () => {
	it("has one line an update, with times and bytes, however often its steps are told", async () => {
		const device = await rig.device("dev-1");
		const image = await rig.publish({ version: "1.1.0" });
		const manifest = (await device.manifest(rig.server)).json();
		const about = { target: { version: "1.1.0", hash: manifest.hash } };
		const last = async () => (await rig.get("/api/devices/dev-1/updates")).json().updates;
		for (const chunksReceived of [1, 1, 2]) {
			rig.clock.nowMs += 1000;
			await device.report(rig.server, { ...about, state: "DOWNLOADING", chunksReceived, chunkCount: 3 });
		}
		expect(await last()).toMatchObject([
			{ status: "downloading", bytes_received: 8192, bytes_total: image.length, attempt: 1 },
		]);
		for (let turn = 0; turn < 2; turn++)
			await device.report(rig.server, {
				...about,
				version: "1.1.0",
				state: "COMPLETED",
				bootStatus: "boot_successful",
			});
		const [update, ...more] = await last();
		expect(more).toEqual([]);
		expect(update).toMatchObject({
			status: "success",
			from_version: "1.0.0",
			to_version: "1.1.0",
			bytes_received: image.length,
			started_at: new Date(rig.clock.nowMs - 2000).toISOString(),
			finished_at: new Date(rig.clock.nowMs).toISOString(),
			flight_record: null,
		});
		const none = (await rig.get(`/api/updates?until=${update.started_at}`)).json();
		expect(none).toEqual({ updates: [], next_before: null });
		const some = (await rig.get(`/api/updates?since=${update.started_at}&status=success&limit=1`)).json();
		expect(some).toMatchObject({ updates: [{ id: update.id }], next_before: update.id });
	});

	it("keeps a flight record of the last failure", async () => {
		const device = await rig.device("dev-1");
		await device.report(rig.server, { state: "DOWNLOADING", target, offsetBytes: 4096 });
		await device.report(rig.server, { state: "VERIFYING", target });
		await device.report(rig.server, {
			state: "FAILED",
			target,
			error: { code: "hash-mismatch", message: "read back otherwise" },
			memoryMinBytes: 40_000,
			rssiDbm: -71,
			resetReason: "brownout",
			uptimeSeconds: 99,
		});
		const { last_failure: record } = (await rig.get("/api/devices/dev-1")).json();
		expect(record).toMatchObject({
			at: new Date(rig.clock.nowMs).toISOString(),
			stage: "VERIFYING",
			offset_bytes: 4096,
			error_code: "hash-mismatch",
			error: "read back otherwise",
			reset_reason: "brownout",
			memory_min_bytes: 40_000,
			rssi_dbm: -71,
			uptime_s: 99,
		});
		// Told by the firmware before it, whose memory and signal these are.
		await device.report(rig.server, {
			state: "ROLLBACK",
			bootStatus: "boot_failed",
			isRolledBack: true,
			target: { ...target, version: "1.2.0" },
			error: { code: "boot-crashed", message: "3 boots" },
			memoryMinBytes: 50_000,
			rssiDbm: -60,
		});
		const { last_failure: told } = (await rig.get("/api/devices/dev-1")).json();
		expect(told).toMatchObject({ error_code: "boot-crashed", memory_min_bytes: null, rssi_dbm: null });
	});
});
