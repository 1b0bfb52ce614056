// Status reports and rollback orders, from the device to what the operator sees.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { problemOf, ServerRig, START_MS } from "./server-rig.js";
import type { TestDevice } from "./test-device.js";

describe("a status report", () => {
	let rig: ServerRig;
	let device: TestDevice;
	beforeEach(async () => {
		rig = await ServerRig.create();
		device = await rig.device();
	});
	afterEach(() => rig.close());
	const status = async () => (await rig.get("/api/cloud/fota/status?device_id=dev-1")).json();
	const target = { version: "1.1.0", hash: "a".repeat(64) };

	it("is what the operator sees, with the time of the server", async () => {
		expect(await status()).toMatchObject({ fota_state: null, reported_at: null, last_seen: null });
		const answer = await device.report(rig.server, {
			state: "DOWNLOADING",
			target,
			chunksReceived: 3,
			chunkCount: 12,
		});
		expect(answer.json()).toEqual({ accepted: true, rollback_pending: false });
		expect(device.hasRightMac(answer)).toBe(true);
		expect(await status()).toEqual({
			device_id: "dev-1",
			device_type: "thermostat",
			chip: "esp32",
			is_legacy: false,
			last_seen: new Date(START_MS).toISOString(),
			build_number: null,
			fota_state: "DOWNLOADING",
			boot_status: "normal",
			reported_device_type: "thermostat",
			version: "1.0.0",
			slot: "ota_0",
			reset_reason: "poweron",
			uptime_s: 10,
			target_version: "1.1.0",
			target_hash: target.hash,
			chunk_received: 3,
			total_chunks: 12,
			progress: 25,
			verified: null,
			trial_boots: null,
			rollback: null,
			error_code: null,
			error: null,
			last_error: null,
			reported_at: new Date(START_MS).toISOString(),
			rollback_order: null,
		});
	});

	it("of each step of an update makes the events of the old server, once", async () => {
		const steps: Parameters<TestDevice["report"]>[1][] = [
			{ bootStatus: "normal" },
			{ state: "DOWNLOADING", target, chunksReceived: 5, chunkCount: 12 },
			{ state: "DOWNLOADING", target, chunksReceived: 5, chunkCount: 12 },
			{ state: "VERIFYING", target, chunksReceived: 12, chunkCount: 12, isVerified: true },
			{ state: "REBOOTING", bootStatus: "pending_reboot", target, isVerified: true },
			{
				state: "BOOT_VERIFICATION",
				bootStatus: "boot_verification",
				target,
				uptimeSeconds: 1,
				trialBoots: 1,
			},
			{ state: "COMPLETED", bootStatus: "boot_successful", target, uptimeSeconds: 40 },
			{ state: "COMPLETED", bootStatus: "boot_successful", target, uptimeSeconds: 45 },
		];
		for (const step of steps) expect((await device.report(rig.server, step)).statusCode).toBe(200);
		expect(await rig.eventTypes("fota", "&device_id=dev-1")).toEqual([
			"device_registered",
			"boot_status",
			"chunk_received",
			"chunk_received",
			"firmware_verified",
			"boot_status",
			"firmware_applied",
			"boot_status",
			"boot_status",
			"boot_successful",
			"fota_completed",
		]);
	});

	it("of a rollback is in both logs, and its error stays visible", async () => {
		await device.report(rig.server, { bootStatus: "boot_verification", target });
		await device.report(rig.server, {
			state: "FAILED",
			bootStatus: "boot_failed",
			target,
			isRolledBack: true,
			error: { code: "boot-crashed", message: "3 boots" },
		});
		await device.report(rig.server);
		expect(await rig.eventTypes("fota", "&device_id=dev-1&type=rollback_triggered")).toHaveLength(1);
		expect(await rig.eventTypes("fota", "&device_id=dev-1&type=boot_failed")).toHaveLength(1);
		expect(await rig.eventTypes("security", "&device_id=dev-1")).toEqual(["rollback_triggered"]);
		expect(await status()).toMatchObject({
			error_code: null,
			last_error: {
				error_code: "boot-crashed",
				error: "3 boots",
				reported_at: new Date(START_MS).toISOString(),
			},
		});
	});

	it("of a completed update ends the trouble before it, which stays in the log", async () => {
		const error = { code: "hash-mismatch", message: "" } as const;
		await device.report(rig.server, { state: "FAILED", target, error });
		await device.report(rig.server, { state: "IDLE" });
		expect(await status()).toMatchObject({ last_error: { error_code: "hash-mismatch" } });
		await device.report(rig.server, { state: "COMPLETED", bootStatus: "boot_successful" });
		expect(await status()).toMatchObject({ last_error: null });
		expect(await rig.eventTypes("fota", "&device_id=dev-1&type=verification_failed")).toHaveLength(1);
	});

	it("of a security event is in the security log each time", async () => {
		const error = { code: "chunk-mac-mismatch", message: "chunk 3" } as const;
		for (let i = 0; i < 2; i++)
			await device.report(rig.server, { state: "DOWNLOADING", target, error, isSecurityEvent: true });
		const events = (await rig.get("/api/cloud/logs/security?device_id=dev-1")).json().events;
		expect(events).toHaveLength(2);
		expect(events[0]).toMatchObject({
			type: "device_security_event",
			details: { error_code: "chunk-mac-mismatch", error: "chunk 3" },
		});
	});

	it("with another device type than registered is accepted and noted", async () => {
		expect((await device.report(rig.server, { deviceType: "pump" })).statusCode).toBe(200);
		expect(await rig.eventTypes("security", "&device_id=dev-1")).toEqual(["device_type_mismatch"]);
		expect(await status()).toMatchObject({ device_type: "thermostat", reported_device_type: "pump" });
	});

	it.each([
		["nothing", ""],
		["no JSON", "{"],
		["no object", "[]"],
		["a state there is not", JSON.stringify({ fota_state: "DANCING" })],
		["JSON nested deep", `{"a":${"[".repeat(1000)}${"]".repeat(1000)}}`],
		["bytes that are not UTF-8", new Uint8Array([0x7b, 0xff, 0x7d])],
	])("of %s is refused, authenticated, and changes nothing", async (_name, body) => {
		const answer = await device.send(rig.server, "/api/inverter/fota/status", { method: "POST", body });
		expect(problemOf(answer)).toBe("400 request-malformed");
		expect(device.hasRightMac(answer)).toBe(true);
		expect(await status()).toMatchObject({ fota_state: null });
	});

	it("above the limit is refused before it is read", async () => {
		const body = JSON.stringify({ a: "x".repeat(3000) });
		const answer = await device.send(rig.server, "/api/inverter/fota/status", { method: "POST", body });
		expect(problemOf(answer)).toBe("413 upload-too-large");
	});
});

describe("a rollback order", () => {
	let rig: ServerRig;
	let device: TestDevice;
	beforeEach(async () => {
		rig = await ServerRig.create();
		device = await rig.device();
	});
	afterEach(() => rig.close());
	const order = (reason = "too warm") => rig.post("/api/cloud/fota/rollback", { device_id: "dev-1", reason });
	const poll = async () => (await device.send(rig.server, "/api/inverter/fota/rollback-status")).json();

	it("waits for the device until it reports that it carried it out", async () => {
		expect(await poll()).toEqual({ rollback: false });
		const { order_id } = (await order()).json();
		expect((await device.report(rig.server)).json().rollback_pending).toBe(true);
		expect(await poll()).toEqual({ rollback: true, order_id, reason: "too warm" });
		rig.clock.nowMs += 5000;
		const done = await device.report(rig.server, { rollbackOrderId: order_id, isRolledBack: true });
		expect(done.json().rollback_pending).toBe(false);
		expect(await poll()).toEqual({ rollback: false });
		const { rollback_order } = (await rig.get("/api/cloud/fota/status?device_id=dev-1")).json();
		expect(rollback_order).toEqual({
			order_id,
			reason: "too warm",
			ordered_at: new Date(START_MS).toISOString(),
			done_at: new Date(START_MS + 5000).toISOString(),
		});
		expect(await rig.eventTypes("security", "&device_id=dev-1")).toEqual([
			"rollback_ordered",
			"rollback_triggered",
		]);
	});

	it("takes the place of the one before, with a higher number even if the clock went back", async () => {
		const first = (await order("first")).json().order_id;
		rig.clock.nowMs -= 1_000_000;
		const second = (await order("second")).json().order_id;
		expect(second).toBe(first + 1);
		await device.report(rig.server, { rollbackOrderId: first });
		expect(await poll()).toMatchObject({ order_id: second });
		await device.report(rig.server, { rollbackOrderId: second });
		expect(await poll()).toEqual({ rollback: false });
	});

	it("has a number above all that a server before this one gave", async () => {
		expect((await order()).json().order_id).toBe(START_MS / 1000);
	});

	it.each([
		["404 device-unknown", { device_id: "nobody", reason: "x" }],
		["400 request-malformed", { device_id: "dev-1" }],
		["400 request-malformed", { device_id: "dev-1", reason: "" }],
		["400 request-malformed", { device_id: "dev-1", reason: "x".repeat(121) }],
		["400 request-malformed", { device_id: "dev-1", reason: "a\nb" }],
		["400 request-malformed", { device_id: "dev 1", reason: "x" }],
		["400 request-malformed", { device_id: "dev-1", reason: "x", force: true }],
	])("is refused with %s for %j", async (problem, body) => {
		expect(problemOf(await rig.post("/api/cloud/fota/rollback", body))).toBe(problem);
	});
});
