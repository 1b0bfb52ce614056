// Uploads that make a release, repeat one, or meet a full disk.
import { open } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeImage, sha256, signStatement, statementFor } from "./release-kit.js";
import { problemOf } from "./server-rig.js";
import { UploadRig } from "./upload-rig.js";

let rig: UploadRig;
let isDiskFull: boolean;
beforeEach(async () => {
	isDiskFull = false;
	rig = await UploadRig.open({}, async (path) => {
		const file = await open(path, "wx");
		return {
			write: (async (piece: Uint8Array, at: number, count: number) => {
				if (isDiskFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
				return file.write(piece, at, count);
			}) as typeof file.write,
			sync: () => file.sync(),
			close: () => file.close(),
		};
	});
});
afterEach(() => rig.close());

describe("an upload", () => {
	it("that issues a release anew tells whether devices get it again, or no more", async () => {
		const image = makeImage();
		const issue = (releasedAt: number, query = "") =>
			rig.upload(image, signStatement(statementFor(image, { releasedAt }), rig.releaseKey), query);
		const news = async () => (await rig.eventTypes("fota")).filter((type) => type.startsWith("release_"));
		await issue(1_800_000_000);
		await issue(1_800_000_001);
		expect(await news()).toEqual(["release_reissued"]);
		await rig.post("/api/cloud/fota/releases/1/deactivate");
		await issue(1_800_000_002);
		await issue(1_800_000_003, "?is_active=false");
		expect((await news()).slice(1)).toEqual([
			"release_deactivated",
			"release_reissued",
			"release_activated",
			"release_reissued",
			"release_deactivated",
		]);
		const { events } = (await rig.get("/api/cloud/logs/fota?type=release_activated")).json();
		expect(events[0].details).toEqual({ device_type: "thermostat", version: "1.1.0" });
	});

	it("as bytes makes a release, with the events of the old server", async () => {
		const image = makeImage({ sizeBytes: 100_000 });
		const release = signStatement(statementFor(image), rig.releaseKey);
		const answer = await rig.upload(image, release, "?description=first&chunk_size=4096");
		expect(answer.statusCode).toBe(201);
		expect(answer.json()).toEqual({
			release_id: 1,
			outcome: "created",
			device_type: "thermostat",
			chip: "esp32",
			version: "1.1.0",
			build_number: 1,
			size: 100_000,
			hash: sha256(image),
			chunk_size: 4096,
			total_chunks: 25,
			key_id: rig.releaseKey.keyId,
			channel: "stable",
			is_active: true,
		});
		expect(await rig.storedFiles()).toEqual([`${sha256(image)}.bin`]);
		expect(await rig.eventTypes("fota")).toEqual([
			"firmware_uploaded",
			"firmware_decoded",
			"firmware_hash_verified",
			"chunking_started",
		]);
		const [listed] = (await rig.get("/api/cloud/fota/releases")).json().releases;
		expect(listed).toMatchObject({ description: "first", project_name: "test", is_active: true });
	});

	it("in the JSON of the old system makes the same release", async () => {
		const image = makeImage();
		const answer = await rig.post(
			"/api/cloud/fota/upload",
			rig.jsonBody(image, { description: "old way", extra: 1 }),
		);
		expect(answer.statusCode).toBe(201);
		expect(answer.json()).toMatchObject({ version: "1.1.0", hash: sha256(image), chunk_size: 16_384 });
	});

	it("that repeats what is there changes nothing", async () => {
		const image = makeImage();
		const statement = statementFor(image);
		await rig.upload(image, signStatement(statement, rig.releaseKey));
		const answer = await rig.upload(image, signStatement(statement, rig.releaseKey));
		expect(answer.statusCode).toBe(200);
		expect(answer.json().outcome).toBe("unchanged");
		expect(await rig.storedFiles()).toHaveLength(1);
		expect((await rig.get("/api/cloud/fota/releases")).json().releases).toHaveLength(1);
	});

	it("of another image for a version that exists is refused, and the first one stays", async () => {
		const first = await rig.publish();
		const second = makeImage({ seed: 9 });
		const answer = await rig.upload(second, signStatement(statementFor(second), rig.releaseKey));
		expect(problemOf(answer)).toBe("409 release-exists");
		expect(await rig.storedFiles()).toEqual([`${sha256(first)}.bin`]);
	});

	it("of other terms at the same time is refused", async () => {
		const image = await rig.publish();
		const statement = statementFor(image, { securityVersion: 1 });
		expect(problemOf(await rig.upload(image, signStatement(statement, rig.releaseKey)))).toBe(
			"409 release-exists",
		);
	});

	it("of one image for two device types shares one file", async () => {
		const image = await rig.publish();
		await rig.publish({ statement: { deviceType: "pump" } });
		expect(await rig.storedFiles()).toEqual([`${sha256(image)}.bin`]);
	});

	it("made many times at once makes one release", async () => {
		const image = makeImage();
		const release = signStatement(statementFor(image), rig.releaseKey);
		const answers = await Promise.all(Array.from({ length: 5 }, () => rig.upload(image, release)));
		expect(answers.map((answer) => answer.statusCode).sort()).toEqual([200, 200, 200, 200, 201]);
		expect(await rig.storedFiles()).toHaveLength(1);
	});

	it("made twice at once with different images keeps exactly one of them", async () => {
		const images = [makeImage({ seed: 1 }), makeImage({ seed: 2 })];
		const uploads = images.map((image) =>
			rig.upload(image, signStatement(statementFor(image), rig.releaseKey)),
		);
		expect((await Promise.all(uploads)).map((answer) => answer.statusCode).sort()).toEqual([201, 409]);
		const [release] = (await rig.get("/api/cloud/fota/releases")).json().releases;
		expect(await rig.storedFiles()).toEqual([`${release.hash}.bin`]);
	});
});

describe("a full disk", () => {
	it("refuses the upload, leaves nothing, and lets the next one in once there is room", async () => {
		const image = makeImage();
		const release = signStatement(statementFor(image), rig.releaseKey);
		isDiskFull = true;
		const refused = await rig.upload(image, release);
		expect(problemOf(refused)).toBe("507 server-unavailable");
		expect(refused.body).not.toContain("ENOSPC");
		await rig.expectNothingLeft();
		isDiskFull = false;
		expect((await rig.upload(image, release)).statusCode).toBe(201);
	});
});
