// System B's interface for devices: check, download by the URL it names, status; devices without a MAC.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "./release-kit.js";
import { problemOf, ServerRig } from "./server-rig.js";
import type { TestDevice } from "./test-device.js";

const CHECK = "/api/ota/check";
const STATUS = "/api/ota/status";
const ASKING = { device_type: "thermostat", current_version: "1.0.0", chip: "esp32" };

describe("a device of system B", () => {
	let rig: ServerRig;
	let device: TestDevice;
	beforeEach(async () => {
		rig = await ServerRig.create();
		device = await rig.device();
	});
	afterEach(() => rig.close());
	const post = (url: string, body: object | string) =>
		device.send(rig.server, url, {
			method: "POST",
			body: typeof body === "string" ? body : JSON.stringify(body),
		});
	const status = async () => (await rig.get("/api/cloud/fota/status?device_id=dev-1")).json();

	it("is told of the newest release, authenticated, and fetches it from there", async () => {
		const image = Buffer.from(await rig.publish({ version: "1.1.0" }));
		await rig.change("PATCH", "/api/ota/admin/firmware/1", { notes: "what is new" });
		const answer = await post(CHECK, { ...ASKING, device_id: "dev-1", build_number: 3 });
		expect(device.hasRightMac(answer)).toBe(true);
		const { release } = answer.json().firmware;
		expect(release.split(".")).toHaveLength(3);
		expect(answer.json()).toEqual({
			update_available: true,
			firmware: {
				id: 1,
				version: "1.1.0",
				build_number: 1,
				size: image.length,
				hash: sha256(image),
				min_current_version: null,
				is_stable: true,
				is_security_fix: false,
				notes: "what is new",
				release,
				download_url: "/api/ota/download/1",
			},
		});
		const download = await device.send(rig.server, answer.json().firmware.download_url);
		expect(download.rawPayload.equals(image)).toBe(true);
	});

	it("is told that there is nothing: too new, or too old for the newest", async () => {
		await rig.publish({ version: "2.0.0", statement: { minCurrentVersion: "1.5.0" } });
		const ask = async (version: string) =>
			(await post(CHECK, { ...ASKING, current_version: version })).json();
		expect(await ask("2.0.0")).toEqual({ update_available: false });
		expect(await ask("1.4.0")).toEqual({ update_available: false });
		expect((await ask("1.5.0")).firmware).toMatchObject({ version: "2.0.0", min_current_version: "1.5.0" });
	});

	it("says its build number, which the operator sees as long as that version runs", async () => {
		await post(CHECK, { ...ASKING, build_number: 41 });
		expect((await status()).build_number).toBe(41);
		await device.send(rig.server, device.manifestTarget("1.0.0", "&build_number=42"));
		await device.report(rig.server, { version: "1.0.0" });
		expect((await status()).build_number).toBe(42);
		await device.report(rig.server, { version: "1.1.0" });
		expect((await status()).build_number).toBeNull();
	});

	it("that is registered as another type is refused", async () => {
		const answer = await post(CHECK, { ...ASKING, device_type: "pump" });
		expect(problemOf(answer)).toBe("403 device-type-mismatch");
	});

	it("reports into the same status, history and events as our own", async () => {
		const image = await rig.publish({ version: "1.1.0" });
		const told = { device_id: "dev-1", firmware_id: 1, current_version: "1.0.0" };
		await post(STATUS, { ...told, status: "pending" });
		const answer = await post(STATUS, { ...told, status: "downloading", bytes_downloaded: 5000 });
		expect(answer.json()).toEqual({ accepted: true, rollback_pending: false });
		expect(await status()).toMatchObject({
			fota_state: "DOWNLOADING",
			version: "1.0.0",
			target_version: "1.1.0",
			target_hash: sha256(image),
		});
		await post(STATUS, { ...told, status: "installing" });
		await post(STATUS, { ...told, status: "success" });
		expect(await status()).toMatchObject({ fota_state: "COMPLETED", version: "1.1.0" });
		const types = await rig.eventTypes("fota", "&device_id=dev-1");
		expect(types).toEqual(expect.arrayContaining(["chunk_received", "boot_successful", "fota_completed"]));
		const { logs } = (await rig.get("/api/ota/admin/logs?device_id=dev-1")).json();
		expect(logs).toMatchObject([
			{ device_id: "dev-1", release_id: 1, status: "success", from_version: "1.0.0", to_version: "1.1.0" },
		]);
		expect((await rig.get("/api/ota/admin/logs?status=failed")).json()).toEqual({
			logs: [],
			next_before: null,
		});
	});

	it("reports a failure with its cause", async () => {
		await rig.publish({ version: "1.1.0" });
		const told = { firmware_id: 1, current_version: "1.0.0" };
		await post(STATUS, { ...told, status: "downloading", bytes_downloaded: 10 });
		await post(STATUS, { ...told, status: "failed", error: "no space", error_code: "E7" });
		expect(await status()).toMatchObject({ error_code: "device-failed", error: "E7: no space" });
		const { logs } = (await rig.get("/api/ota/admin/logs?firmware_id=1&status=failed")).json();
		expect(logs).toMatchObject([{ status: "failed", error_code: "device-failed" }]);
	});

	it("hears of a rollback that waits", async () => {
		await rig.publish({ version: "1.1.0" });
		await rig.post("/api/cloud/fota/rollback", { device_id: "dev-1", reason: "test" });
		const answer = await post(STATUS, { firmware_id: 1, status: "success" });
		expect(answer.json()).toEqual({ accepted: true, rollback_pending: true });
	});

	const malformed: readonly (readonly [string, object | string])[] = [
		[CHECK, "{"],
		[CHECK, {}],
		[CHECK, { ...ASKING, device_id: "dev-2" }],
		[CHECK, { ...ASKING, current_version: "1" }],
		[CHECK, { ...ASKING, build_number: -1 }],
		[CHECK, { ...ASKING, chip: "z80" }],
		[CHECK, { ...ASKING, device_type: "a b" }],
		[STATUS, { status: "success" }],
		[STATUS, { firmware_id: 1, status: "done" }],
		[STATUS, { firmware_id: 1, status: "downloading", bytes_downloaded: 1e9 }],
		[STATUS, { firmware_id: 1, status: "success", device_id: "dev-2" }],
		[STATUS, { firmware_id: 1, status: "success", current_version: "x" }],
	];
	it.each(malformed)("is refused at %s with %j, authenticated", async (url, body) => {
		const answer = await post(url, body);
		expect(problemOf(answer)).toBe("400 request-malformed");
		expect(device.hasRightMac(answer)).toBe(true);
	});

	it("cannot report on what is not for it", async () => {
		await rig.publish({ statement: { deviceType: "pump" } });
		for (const firmware_id of [1, 99])
			expect(problemOf(await post(STATUS, { firmware_id, status: "success" }))).toBe("404 release-unknown");
	});
});

describe("a device without a MAC", () => {
	let rig: ServerRig;
	beforeEach(async () => {
		rig = await ServerRig.create({ legacyDeviceTypes: ["thermostat"] });
	});
	afterEach(() => rig.close());
	const post = (url: string, payload: object) => rig.server.inject({ method: "POST", url, payload });

	it("asks, downloads and reports by its id alone where that is switched on", async () => {
		await rig.device("old-1");
		const image = Buffer.from(await rig.publish());
		const { firmware } = (await post(CHECK, { ...ASKING, device_id: "old-1" })).json();
		expect(firmware.download_url).toBe("/api/ota/download/1?device_id=old-1");
		const download = await rig.server.inject({
			url: firmware.download_url,
			headers: { range: "bytes=100-199" },
		});
		expect(download.rawPayload.equals(image.subarray(100, 200))).toBe(true);
		const report = await post(STATUS, { device_id: "old-1", firmware_id: 1, status: "success" });
		expect(report.json().accepted).toBe(true);
		expect((await rig.get("/api/cloud/fota/status?device_id=old-1")).json()).toMatchObject({
			is_legacy: true,
			version: "1.1.0",
		});
	});

	it("is refused elsewhere: for other types, and without an id", async () => {
		await rig.device("pump-1", { deviceType: "pump" });
		await rig.publish();
		const asking = { ...ASKING, device_type: "pump", device_id: "pump-1" };
		expect(problemOf(await post(CHECK, asking))).toBe("401 auth-failed");
		expect(problemOf(await rig.server.inject("/api/ota/download/1?device_id=pump-1"))).toBe(
			"401 auth-failed",
		);
		expect(problemOf(await post(CHECK, ASKING))).toBe("401 auth-missing");
		expect(problemOf(await rig.server.inject("/api/inverter/fota/manifest?device_id=pump-1"))).toBe(
			"401 auth-missing",
		);
	});

	it("is told of in the security log once a day, and never once it has used a MAC", async () => {
		const device = await rig.device("old-1");
		const ask = () => post(CHECK, { ...ASKING, device_id: "old-1" });
		const contacts = async () => (await rig.eventTypes("security", "&type=legacy_contact")).length;
		await Promise.all(Array.from({ length: 5 }, ask));
		expect(await contacts()).toBe(1);
		rig.clock.nowMs += 86_399_999;
		await ask();
		expect(await contacts()).toBe(1);
		rig.clock.nowMs += 1;
		await ask();
		expect(await contacts()).toBe(2);
		await device.manifest(rig.server);
		rig.clock.nowMs += 86_400_000;
		expect(problemOf(await ask())).toBe("401 auth-failed");
		expect(await contacts()).toBe(2);
		expect((await rig.get("/api/cloud/fota/status?device_id=old-1")).json().is_legacy).toBe(false);
	});
});
