// Releases as operators see and change them, in both systems' words; channels.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeImage, sha256, signStatement, statementFor } from "./release-kit.js";
import { problemOf } from "./server-rig.js";
import { UploadRig } from "./upload-rig.js";

const FIRMWARE = "/api/ota/admin/firmware";
let rig: UploadRig;
beforeEach(async () => {
	rig = await UploadRig.open();
});
afterEach(() => rig.close());

const patch = (id: number, payload: object) => rig.change("PATCH", `${FIRMWARE}/${id}`, payload);
const listed = async (query: string) => {
	const { firmware } = (await rig.get(`${FIRMWARE}?${query}`)).json();
	return firmware.map((release: { version: string }) => release.version);
};

describe("a release", () => {
	it("comes by the JSON of system A under the path of system B as well", async () => {
		const image = await rig.publish({ version: "1.0.0" });
		const other = makeImage({ seed: 3 });
		const body = rig.jsonBody(other, { channel: "beta", notes: "a\nb", is_active: false });
		const answer = await rig.post(FIRMWARE, body);
		expect(answer.statusCode).toBe(201);
		expect(answer.json().firmware).toMatchObject({
			id: 2,
			hash: sha256(other),
			channel: "beta",
			notes: "a\nb",
			is_active: false,
			published_at: null,
		});
		expect(sha256(image)).not.toBe(sha256(other));
		expect(problemOf(await rig.post(FIRMWARE, { ...body, size: 1 }))).toBe("422 manifest-mismatch");
	});

	it("is shown alike in all answers", async () => {
		await rig.publish({ version: "1.0.0" });
		const one = (await rig.get(`${FIRMWARE}/1`)).json();
		expect(one).toMatchObject({ version: "1.0.0", channel: "stable", is_stable: true, notes: null });
		expect((await rig.get(FIRMWARE)).json().firmware).toEqual([one]);
		expect((await rig.get("/api/cloud/fota/releases")).json().releases).toEqual([one]);
		expect(problemOf(await rig.get(`${FIRMWARE}/9`))).toBe("404 release-unknown");
	});

	it("is found by filters, by page and by cursor", async () => {
		for (const version of ["1.0.0", "1.1.0", "1.2.0"]) await rig.publish({ version });
		await rig.publish({ version: "1.0.0", statement: { deviceType: "pump" } });
		await rig.publish({ version: "2.0.0", chip: "esp32s3" });
		await patch(2, { channel: "beta", is_security_fix: true });
		await patch(3, { is_active: false });
		expect(await listed("device_type=pump")).toEqual(["1.0.0"]);
		expect(await listed("is_active=false")).toEqual(["1.2.0"]);
		expect(await listed("is_stable=false")).toEqual(["1.1.0"]);
		expect(await listed("channel=beta&is_security_fix=true")).toEqual(["1.1.0"]);
		expect(await listed("chip=esp32s3")).toEqual(["2.0.0"]);
		expect(await listed("version=1.0.0")).toEqual(["1.0.0", "1.0.0"]);
		expect((await rig.get(`${FIRMWARE}?page=2&limit=2`)).json()).toMatchObject({
			total: 5,
			page: 2,
			limit: 2,
			next_after: 4,
			firmware: [{ id: 3 }, { id: 4 }],
		});
		expect((await rig.get(`${FIRMWARE}?after=4&limit=2`)).json().firmware).toMatchObject([{ id: 5 }]);
	});

	it.each([
		"page=0",
		"page=1&after=2",
		"limit=501",
		"is_active=yes",
		"channel=alpha",
		"channel=beta&is_stable=true",
		"x=1",
	])("is not looked for by %s", async (query) => {
		expect(problemOf(await rig.get(`${FIRMWARE}?${query}`))).toBe("400 request-malformed");
	});

	it("changes in what is not signed, noted once, and in nothing else", async () => {
		await rig.publish({ version: "1.0.0" });
		rig.clock.nowMs += 5000;
		const changed = (await patch(1, { notes: "new", is_stable: false, version: "1.0.0" })).json();
		expect(changed).toMatchObject({ notes: "new", channel: "beta", version: "1.0.0" });
		expect(changed.updated_at).toBe(new Date(rig.clock.nowMs).toISOString());
		await patch(1, { notes: "new" });
		expect(await rig.eventTypes("fota", "&type=release_changed")).toHaveLength(1);
		const version = await patch(1, { version: "1.0.1" });
		expect(problemOf(version)).toBe("422 manifest-mismatch");
		expect(version.json().detail).toBe(
			"version is signed and cannot be changed; sign and upload another release",
		);
		for (const wish of [
			{ min_current_version: "1.0.0" },
			{ size: 7 },
			{ security_version: 9 },
			{ project_name: "x" },
		])
			expect(problemOf(await patch(1, wish))).toBe("422 manifest-mismatch");
		for (const wish of [{ id: 2 }, { notes: 7 }, { notes: "\u001b[2J" }, { notes: "x".repeat(4001) }])
			expect(problemOf(await patch(1, wish))).toBe("400 request-malformed");
		expect(problemOf(await patch(9, { notes: "x" }))).toBe("404 release-unknown");
		expect((await rig.get(`${FIRMWARE}/1`)).json()).toEqual(changed);
	});

	it("is deactivated by DELETE, not removed, and activated again in either system's words", async () => {
		await rig.publish({ version: "1.0.0" });
		for (let i = 0; i < 2; i++)
			expect((await rig.change("DELETE", `${FIRMWARE}/1`)).json()).toMatchObject({ id: 1, is_active: false });
		expect(await rig.storedFiles()).toHaveLength(1);
		const device = await rig.device();
		expect((await device.manifest(rig.server, "0.9.0")).statusCode).toBe(204);
		expect((await rig.post("/api/cloud/fota/releases/1/activate")).json().is_active).toBe(true);
		expect((await device.manifest(rig.server, "0.9.0")).json().version).toBe("1.0.0");
		expect(await rig.eventTypes("fota", "&type=release_deactivated")).toHaveLength(1);
		expect(await rig.eventTypes("fota", "&type=release_activated")).toHaveLength(1);
		expect(problemOf(await rig.change("DELETE", `${FIRMWARE}/9`))).toBe("404 release-unknown");
	});

	it("is changed by many at once, each change noted once", async () => {
		await rig.publish({ version: "1.0.0" });
		await Promise.all(Array.from({ length: 8 }, () => patch(1, { is_active: false })));
		expect(await rig.eventTypes("fota", "&type=release_deactivated")).toHaveLength(1);
	});

	it("stands in the audit log with each change, and only with those", async () => {
		await rig.publish({ version: "1.0.0" });
		await patch(1, { is_active: false, notes: "n" });
		await patch(1, { notes: "n" });
		const { lines } = (await rig.get("/api/audit?target=release:1")).json();
		expect(lines.map(({ action }: { action: string }) => action)).toEqual([
			"release.publish",
			"release.change",
			"release.deactivate",
		]);
	});
});

describe("a channel", () => {
	it("keeps beta releases from stable devices, in manifest and chunks", async () => {
		const device = await rig.device();
		await rig.publish({ version: "1.1.0" });
		const beta = await rig.publish({ version: "1.2.0" });
		await patch(2, { is_stable: false });
		expect((await device.manifest(rig.server)).json().version).toBe("1.1.0");
		const chunk = `/api/inverter/fota/chunk?chunk_number=0&hash=${sha256(beta)}`;
		expect(problemOf(await device.send(rig.server, chunk))).toBe("404 release-unknown");
		await rig.change("PATCH", "/api/devices/dev-1", { channel: "beta" });
		expect((await device.manifest(rig.server)).json().version).toBe("1.2.0");
		expect((await device.send(rig.server, chunk)).statusCode).toBe(200);
	});

	it("of a release stays when it is issued anew without a word about it", async () => {
		const image = await rig.publish({ version: "1.1.0" });
		await patch(1, { is_stable: false, notes: "kept", is_security_fix: true });

		const statement = statementFor(image, { releasedAt: 1_800_000_000 });
		await rig.upload(image, signStatement(statement, rig.releaseKey));
		expect((await rig.get(`${FIRMWARE}/1`)).json()).toMatchObject({
			channel: "beta",
			notes: "kept",
			is_security_fix: true,
		});
		const again = statementFor(image, { releasedAt: 1_900_000_000 });
		await rig.upload(image, signStatement(again, rig.releaseKey), "?is_stable=true");
		expect((await rig.get(`${FIRMWARE}/1`)).json()).toMatchObject({ channel: "stable", notes: "kept" });
	});
});
