// Chunk answers, byte for byte, in both representations.
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CHUNK_SIZES_BYTES } from "../../src/protocol/limits.js";
import { sha256 } from "./release-kit.js";
import { problemOf, ServerRig } from "./server-rig.js";
import type { TestDevice } from "./test-device.js";

const FRAMES = { accept: "application/vnd.fota.chunks" };
const JSON_ONLY = { accept: "application/json" };

describe("chunks", () => {
	let rig: ServerRig;
	let device: TestDevice;
	let image: Buffer;
	let hash: string;
	beforeAll(async () => {
		rig = await ServerRig.create();
		device = await rig.device();
		image = Buffer.from(await rig.publish({ sizeBytes: 150_000 }));
		hash = sha256(image);
	});
	afterAll(() => rig.close());

	function target(first: number, count: number, chunkBytes: number, imageHash = hash): string {
		return `/api/inverter/fota/chunk?chunk_number=${first}&count=${count}&chunk_size=${chunkBytes}&hash=${imageHash}`;
	}

	/** Written from docs/protocol.md §6. */
	function expectedFrames(first: number, count: number, chunkBytes: number): Buffer {
		const frames: Buffer[] = [];
		for (let number = first; number < first + count; number++) {
			const data = image.subarray(number * chunkBytes, (number + 1) * chunkBytes);
			const head = Buffer.alloc(8);
			head.writeUInt32BE(number, 0);
			head.writeUInt32BE(data.length, 4);
			const mac = createHmac("sha256", device.chunkKey(hash)).update(head).update(data).digest();
			frames.push(head.subarray(4), data, mac);
		}
		return Buffer.concat(frames);
	}

	it.each(CHUNK_SIZES_BYTES)("come as frames, byte for byte, in chunks of %i bytes", async (chunkBytes) => {
		const count = Math.ceil(image.length / chunkBytes);
		for (const [first, some] of [
			[0, count],
			[0, 1],
			[count - 1, 1],
			[1, count - 2],
		] as const) {
			const answer = await device.send(rig.server, target(first, some, chunkBytes), { headers: FRAMES });
			const expected = expectedFrames(first, some, chunkBytes);
			expect(answer.statusCode).toBe(200);
			expect(answer.headers["content-type"]).toBe("application/vnd.fota.chunks");
			expect(answer.headers["content-length"]).toBe(String(expected.length));
			expect(answer.rawPayload.equals(expected)).toBe(true);
		}
	});

	it("that the device holds come without their data, the ones behind it whole", async () => {
		for (const count of [1, 3]) {
			const answer = await device.send(rig.server, `${target(2, count, 4096)}&held=1`, { headers: FRAMES });
			const whole = expectedFrames(2, count, 4096);
			const expected = Buffer.concat([whole.subarray(0, 4), whole.subarray(4 + 4096)]);
			expect(answer.headers["content-length"]).toBe(String(expected.length));
			expect(answer.rawPayload.equals(expected)).toBe(true);
		}
	});

	it("that the device holds may be the short last one, and are whole where it says it holds none", async () => {
		const last = await device.send(rig.server, `${target(36, 1, 4096)}&held=1`, { headers: FRAMES });
		const whole = expectedFrames(36, 1, 4096);
		expect(last.rawPayload.equals(Buffer.concat([whole.subarray(0, 4), whole.subarray(-32)]))).toBe(true);
		expect(last.headers["content-length"]).toBe("36");
		const none = await device.send(rig.server, `${target(36, 1, 4096)}&held=0`, { headers: FRAMES });
		expect(none.rawPayload.equals(whole)).toBe(true);
	});

	it.each([
		["as JSON", "&held=1", JSON_ONLY],
		["twice", "&held=2", FRAMES],
		["in words", "&held=yes", FRAMES],
	])("that the device holds %s are refused", async (_title, more, headers) => {
		const answer = await device.send(rig.server, target(2, 1, 4096) + more, { headers });
		expect(problemOf(answer)).toBe("400 request-malformed");
	});

	it.each(CHUNK_SIZES_BYTES)("come as JSON, one a request, in chunks of %i bytes", async (chunkBytes) => {
		const count = Math.ceil(image.length / chunkBytes);
		for (const number of [0, 1, count - 1]) {
			const answer = await device.send(rig.server, target(number, 1, chunkBytes), { headers: JSON_ONLY });
			const data = image.subarray(number * chunkBytes, (number + 1) * chunkBytes);
			expect(answer.json()).toEqual({
				chunk_number: number,
				data: data.toString("base64"),
				size: data.length,
				mac: createHmac("sha256", device.key).update(data).digest("hex"),
			});
			expect(device.hasRightMac(answer)).toBe(true);
		}
	});

	it("of the release that the manifest named come without a hash", async () => {
		const other = await rig.device("dev-2");
		await other.manifest(rig.server);
		const answer = await other.send(rig.server, "/api/inverter/fota/chunk?chunk_number=9");
		expect(answer.json().size).toBe(image.length - 9 * 16_384);
	});

	it.each([
		["past the end", () => target(37, 1, 4096)],
		["running over the end", () => target(36, 2, 4096)],
		["at a negative number", () => target(-1, 1, 4096)],
		["none at all", () => target(0, 0, 4096)],
		["of a size that is not of the protocol", () => target(0, 1, 4095)],
		["of an enormous number", () => target(2 ** 53, 1, 4096)],
		["of a hash that is none", () => target(0, 1, 4096, "xyz")],
		["without a number", () => "/api/inverter/fota/chunk"],
		["with a fraction", () => `${target(0, 1, 4096)}&chunk_number=1`],
	])("%s are refused, authenticated", async (_name, urlOf) => {
		const answer = await device.send(rig.server, urlOf(), { headers: FRAMES });
		expect(problemOf(answer)).toBe("400 request-malformed");
		expect(device.hasRightMac(answer)).toBe(true);
	});

	it("more than one are refused as JSON, and so is a representation there is not", async () => {
		const two = await device.send(rig.server, target(0, 2, 4096), { headers: JSON_ONLY });
		expect(problemOf(two)).toBe("400 request-malformed");
		const xml = await device.send(rig.server, target(0, 1, 4096), { headers: { accept: "text/xml" } });
		expect(problemOf(xml)).toBe("400 request-malformed");
	});

	it("of an unknown, a withdrawn, or another device type's release are not given", async () => {
		const unknown = await device.send(rig.server, target(0, 1, 4096, "0".repeat(64)), { headers: FRAMES });
		expect(problemOf(unknown)).toBe("404 release-unknown");
		const pump = await rig.device("pump-1", { deviceType: "pump" });
		expect(problemOf(await pump.send(rig.server, target(0, 1, 4096)))).toBe("404 release-unknown");
		const withdrawn = await rig.publish({ version: "1.2.0" });
		const { releases } = (await rig.get("/api/cloud/fota/releases")).json();
		await rig.post(`/api/cloud/fota/releases/${releases.at(-1).id}/deactivate`);
		const gone = await device.send(rig.server, target(0, 1, 4096, sha256(withdrawn)), { headers: FRAMES });
		expect(problemOf(gone)).toBe("404 release-unknown");
		expect(device.hasRightMac(gone)).toBe(true);
	});

	it("differ between two devices in their MACs only", async () => {
		const other = await rig.device("dev-3");
		const mine = await device.send(rig.server, target(0, 1, 4096), { headers: FRAMES });
		const theirs = await other.send(rig.server, target(0, 1, 4096), { headers: FRAMES });
		expect(theirs.rawPayload.subarray(0, 4100).equals(mine.rawPayload.subarray(0, 4100))).toBe(true);
		expect(theirs.rawPayload.subarray(4100).equals(mine.rawPayload.subarray(4100))).toBe(false);
	});
});
