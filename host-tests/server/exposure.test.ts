// Who runs what, and who lacks a security fix.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { problemOf, ServerRig } from "./server-rig.js";

describe("exposure", () => {
	let rig: ServerRig;
	const exposure = async (query: string) =>
		(await rig.get(`/api/releases/exposure?device_type=thermostat${query}`)).json();
	const idsOf = (answer: { devices: { device_id: string }[] }) =>
		answer.devices.map((device) => device.device_id);

	beforeAll(async () => {
		rig = await ServerRig.create();
		for (const version of ["1.0.0", "1.1.0", "1.2.0-rc.1"]) await rig.publish({ version });
		await rig.publish({ version: "9.0.0", chip: "esp32s3" });
		for (const id of [2, 4])
			await rig.change("PATCH", `/api/ota/admin/firmware/${id}`, { is_security_fix: true });
		for (const [id, version] of [
			["dev-1", "1.0.0"],
			["dev-2", "1.0.0"],
			["dev-3", "1.1.0"],
			["dev-4", "1.2.0-rc.1"],
			["gone", "1.0.0"],
		] as const) {
			const device = await rig.device(id, { chip: "esp32" });
			await device.report(rig.server, { version });
		}
		await rig.device("silent", { chip: "esp32" });
		await rig.device("other", { deviceType: "pump" });
		await rig.change("PATCH", "/api/devices/dev-2", { group: "north", channel: "beta" });
		await rig.post("/api/devices/gone/decommission", { reason: "sold" });
	});
	afterAll(() => rig.close());

	it("counts devices in service by version, channel and group, with what they lack", async () => {
		const answer = await exposure("");
		expect(answer).toMatchObject({ device_count: 5, is_complete: true, next_after: null });
		const counted = answer.counts.map(
			(row: { version: string; channel: string; group: string; count: number; lacks: string[] }) =>
				[row.version, row.channel, row.group, row.count, row.lacks.join()].join(" "),
		);
		expect(counted.sort()).toEqual([
			" stable  1 1.1.0",
			"1.0.0 beta north 1 1.1.0",
			"1.0.0 stable  1 1.1.0",
			"1.1.0 stable  1 ",
			"1.2.0-rc.1 stable  1 ",
		]);
		expect(answer.security_fixes.map((fix: object) => Object.values(fix))).toEqual(
			expect.arrayContaining([
				[2, "1.1.0", "esp32", "stable", 3],
				[4, "9.0.0", "esp32s3", "stable", 0],
			]),
		);
		expect(idsOf(answer)).toEqual(["dev-1", "dev-2", "dev-3", "dev-4", "silent"]);
	});

	it("names who runs one version, page by page", async () => {
		const first = await exposure("&version=1.0.0&limit=1");
		expect([first.device_count, idsOf(first), first.next_after]).toEqual([2, ["dev-1"], "dev-1"]);
		const second = await exposure("&version=1.0.0&limit=2&after=dev-1");
		expect([idsOf(second), second.next_after]).toEqual([["dev-2"], null]);
		expect(second.devices[0]).toMatchObject({ group: "north", channel: "beta", lacks: ["1.1.0"] });
		expect(await exposure("&version=7.0.0")).toMatchObject({ device_count: 0, devices: [] });
	});

	it("names who lacks a fix, those that never reported included", async () => {
		const answer = await exposure("&lacking=1.1.0");
		expect([answer.device_count, idsOf(answer)]).toEqual([3, ["dev-1", "dev-2", "silent"]]);
		expect(await exposure("&lacking=9.0.0")).toMatchObject({ device_count: 0, devices: [] });
	});

	it.each([
		["", "400 request-malformed"],
		["?device_type=a b", "400 request-malformed"],
		["?device_type=thermostat&version=1.0.0&lacking=1.1.0", "400 request-malformed"],
		["?device_type=thermostat&lacking=1.0.0", "404 release-unknown"],
		["?device_type=thermostat&x=1", "400 request-malformed"],
	])("is refused for %j with %s", async (query, problem) => {
		expect(problemOf(await rig.get(`/api/releases/exposure${query}`))).toBe(problem);
	});
});
