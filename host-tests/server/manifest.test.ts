// The manifest route: offers, refusals, and the MAC on both.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { REFUSALS_PER_MINUTE } from "../../server/auth/refusal-log.js";
import { parseManifest } from "../../src/protocol/manifest.js";
import { signStatement, statementFor } from "./release-kit.js";
import { problemOf, ServerRig } from "./server-rig.js";

describe("the manifest", () => {
	let rig: ServerRig;
	beforeEach(async () => {
		rig = await ServerRig.create();
	});
	afterEach(() => rig.close());

	it("names the newest release with its statement, authenticated", async () => {
		const device = await rig.device();
		await rig.publish({ version: "1.9.0" });
		const image = await rig.publish({ version: "1.10.0" });
		const answer = await device.manifest(rig.server);
		const manifest = parseManifest(answer.rawPayload);
		expect(manifest).toMatchObject({
			version: "1.10.0",
			sizeBytes: image.length,
			chunkBytes: 4096,
			chunkCount: 3,
		});
		expect(manifest.release.split(".")).toHaveLength(3);
		expect(device.hasRightMac(answer)).toBe(true);
	});

	it("is an authenticated 204 where nothing newer is offered", async () => {
		const device = await rig.device();
		await rig.publish({ version: "1.1.0" });
		for (const version of ["1.1.0", "1.2.0", "1.1.0+build.7"]) {
			const answer = await device.manifest(rig.server, encodeURIComponent(version));
			expect(answer.statusCode).toBe(204);
			expect(answer.body).toBe("");
			expect(device.hasRightMac(answer)).toBe(true);
		}
	});

	it("leads through a release in between where the newest asks for a minimum", async () => {
		const device = await rig.device();
		await rig.publish({ version: "2.0.0", statement: { minCurrentVersion: "1.5.0" } });
		await rig.publish({ version: "1.6.0" });
		expect((await device.manifest(rig.server, "1.0.0")).json().version).toBe("1.6.0");
		expect((await device.manifest(rig.server, "1.5.0")).json().version).toBe("2.0.0");
	});

	it("offers nothing that the device would refuse as a security downgrade", async () => {
		const device = await rig.device();
		await rig.publish({ version: "1.1.0", statement: { securityVersion: 3 } });
		await rig.publish({ version: "1.2.0", statement: { securityVersion: 2 } });
		expect((await device.manifest(rig.server, "1.1.0")).statusCode).toBe(204);
		await rig.publish({ version: "1.3.0", statement: { securityVersion: 3 } });
		expect((await device.manifest(rig.server, "1.1.0")).json().version).toBe("1.3.0");
	});

	it("leaves out withdrawn releases, other device types and other chips", async () => {
		const device = await rig.device();
		await rig.publish({ version: "1.1.0" });
		await rig.publish({ version: "1.2.0" });
		await rig.publish({ version: "3.0.0", statement: { deviceType: "pump" } });
		await rig.publish({ version: "4.0.0", chip: "esp32s3" });
		const id = (await rig.get("/api/cloud/fota/releases")).json().releases[1].id;
		expect((await rig.post(`/api/cloud/fota/releases/${id}/deactivate`)).json().is_active).toBe(false);
		expect((await device.manifest(rig.server)).json().version).toBe("1.1.0");
	});

	it("offers a release that was issued anew with its new statement", async () => {
		const device = await rig.device();
		const image = await rig.publish({ version: "1.1.0" });
		await rig.post("/api/cloud/fota/releases/1/deactivate");
		const statement = statementFor(image, { releasedAt: 1_800_000_000 });
		const again = await rig.upload(image, signStatement(statement, rig.releaseKey));
		expect(again.json()).toMatchObject({ outcome: "reissued", is_active: true, release_id: 1 });
		const { release } = (await device.manifest(rig.server)).json();
		expect(Buffer.from(release.split(".")[1], "base64url").toString()).toContain("1800000000");
	});

	it("is refused for another device type or chip than registered, authenticated, as a security event", async () => {
		const device = await rig.device("dev-1", { chip: "esp32" });
		const type = await device.send(
			rig.server,
			"/api/inverter/fota/manifest?device_type=pump&chip=esp32&version=1.0.0",
		);
		expect(problemOf(type)).toBe("403 device-type-mismatch");
		expect(device.hasRightMac(type)).toBe(true);
		const chip = await device.send(rig.server, "/api/inverter/fota/manifest?chip=esp32c3&version=1.0.0");
		expect(problemOf(chip)).toBe("403 chip-mismatch");
		expect(await rig.eventTypes("security", "&device_id=dev-1")).toEqual([
			"device_type_mismatch",
			"device_type_mismatch",
		]);
	});

	it("asked for as another device type again and again fills no log", async () => {
		const device = await rig.device();
		const path = "/api/inverter/fota/manifest?device_type=pump&chip=esp32&version=1.0.0";
		for (let i = 0; i < 70; i++) expect((await device.send(rig.server, path)).statusCode).toBe(403);
		const types = await rig.eventTypes("security", "&device_id=dev-1");
		expect(types.length).toBeGreaterThan(10);
		expect(types.length).toBeLessThanOrEqual(REFUSALS_PER_MINUTE);
	});

	it.each([
		"device_type=a/b",
		"chip=esp8266",
		"version=1.0",
		"version=01.0.0",
		`version=1.0.0-${"a".repeat(40)}`,
		"chunk_size=4095",
		"chunk_size=-1",
		"chunk_size=4096.0",
		"chunk_size=1e3",
		"chunk_size=4096&chunk_size=4096",
		"chunk_size=99999999999999999999",
		"version=",
	])("refuses the query %s", async (query) => {
		const device = await rig.device();
		const answer = await device.send(rig.server, `/api/inverter/fota/manifest?chip=esp32&${query}`);
		expect(problemOf(answer)).toBe("400 request-malformed");
		expect(device.hasRightMac(answer)).toBe(true);
	});
});
