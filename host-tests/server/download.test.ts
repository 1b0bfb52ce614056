// Downloads of whole images: parts, conditions, rights, readers that go away, many at once.
import { once } from "node:events";
import { readdir, readlink } from "node:fs/promises";
import { connect } from "node:net";
import fc from "fast-check";
import type { LightMyRequestResponse } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "./release-kit.js";
import { problemOf } from "./server-rig.js";
import type { TestDevice } from "./test-device.js";
import { UploadRig } from "./upload-rig.js";

const PATH = "/api/ota/download/1";

describe("a download", () => {
	let rig: UploadRig;
	let device: TestDevice;
	let image: Buffer;
	let etag: string;
	beforeEach(async () => {
		rig = await UploadRig.open();
		device = await rig.device();
		image = Buffer.from(await rig.publish({ sizeBytes: 200_000 }));
		etag = `"${sha256(image)}"`;
	});
	afterEach(() => rig.close());

	function get(
		headers: Record<string, string> = {},
		method: "GET" | "HEAD" = "GET",
	): Promise<LightMyRequestResponse> {
		// The MAC covers the method as it is sent.
		const authorization = device.authorization(PATH, { method: method as "GET" });
		return rig.server.inject({ method, url: PATH, headers: { authorization, ...headers } });
	}

	it("is the image with its digests, for the device's own cache", async () => {
		const answer = await get();
		expect(answer.statusCode).toBe(200);
		expect(answer.rawPayload.equals(image)).toBe(true);
		const digest = `sha-256=:${Buffer.from(sha256(image), "hex").toString("base64")}:`;
		expect(answer.headers).toMatchObject({
			"content-type": "application/octet-stream",
			"content-length": String(image.length),
			"accept-ranges": "bytes",
			"cache-control": "private, max-age=31536000, immutable",
			"repr-digest": digest,
			"content-digest": digest,
			etag,
		});
	});

	it("has a head of the same length without a body", async () => {
		const answer = await get({ range: "bytes=0-9" }, "HEAD");
		expect([answer.statusCode, answer.rawPayload.length]).toEqual([200, 0]);
		expect(answer.headers).toMatchObject({ "content-length": String(image.length), etag });
		expect(device.hasRightMac(answer)).toBe(true);
	});

	it("gives any part as a slice would", async () => {
		const bound = fc.nat(image.length + 10);
		await fc.assert(
			fc.asyncProperty(bound, bound, async (first, last) => {
				const answer = await get({ range: `bytes=${first}-${last}` });
				const wanted = image.subarray(first, last + 1);
				if (last < first) expect(answer.statusCode).toBe(200);
				else if (first >= image.length) expect(answer.statusCode).toBe(416);
				else {
					expect([answer.statusCode, answer.rawPayload.equals(wanted)]).toEqual([206, true]);
					const end = first + wanted.length - 1;
					expect(answer.headers["content-range"]).toBe(`bytes ${first}-${end}/${image.length}`);
					expect(answer.headers["content-length"]).toBe(String(wanted.length));
					expect(answer.headers["content-digest"]).toBeUndefined();
				}
			}),
			{ numRuns: 40 },
		);
	});

	it("goes on where it broke off only while it is the same image", async () => {
		const rest = await get({ range: "bytes=150000-", "if-range": etag });
		expect([rest.statusCode, rest.rawPayload.equals(image.subarray(150_000))]).toEqual([206, true]);
		const other = await get({ range: "bytes=150000-", "if-range": '"other"' });
		expect([other.statusCode, other.rawPayload.length]).toEqual([200, image.length]);
	});

	it("is not sent to whoever has it", async () => {
		for (const tags of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
			const answer = await get({ "if-none-match": tags });
			expect([answer.statusCode, answer.body]).toEqual([304, ""]);
			expect(answer.headers).toMatchObject({ etag, "cache-control": expect.stringContaining("immutable") });
		}
		expect((await get({ "if-none-match": '"x"' })).statusCode).toBe(200);
		expect(problemOf(await get({ "if-match": '"x"' }))).toBe("412 request-malformed");
	});

	it("says how long the image is where there is no such part, authenticated", async () => {
		const answer = await get({ range: "bytes=200000-" });
		expect(problemOf(answer)).toBe("416 request-malformed");
		expect(answer.headers["content-range"]).toBe("bytes */200000");
		expect(answer.headers["cache-control"]).toBe("no-store");
		expect(device.hasRightMac(answer)).toBe(true);
	});

	it("is given to nobody but a device of its type, chip and channel, while it is active", async () => {
		expect(problemOf(await rig.server.inject(PATH))).toBe("401 auth-missing");
		const refusedTo = async (other: TestDevice) => problemOf(await other.send(rig.server, PATH));
		expect(await refusedTo(await rig.device("pump-1", { deviceType: "pump" }))).toBe("404 release-unknown");
		expect(await refusedTo(await rig.device("s3-1", { chip: "esp32s3" }))).toBe("404 release-unknown");
		const patch = (payload: object) => rig.change("PATCH", "/api/ota/admin/firmware/1", payload);
		await patch({ is_stable: false });
		expect(await refusedTo(device)).toBe("404 release-unknown");
		await patch({ is_stable: true, is_active: false });
		expect(await refusedTo(device)).toBe("404 release-unknown");
		await patch({ is_active: true });
		expect((await get()).statusCode).toBe(200);
		expect(problemOf(await device.send(rig.server, "/api/ota/download/99"))).toBe("404 release-unknown");
		expect(problemOf(await device.send(rig.server, "/api/ota/download/x"))).toBe("400 request-malformed");
	});
});

describe("over sockets", () => {
	let rig: UploadRig;
	let port: number;
	beforeEach(async () => {
		rig = await UploadRig.open({ stopTimeoutMs: 500 });
		port = Number(new URL(await rig.app.listen()).port);
	});
	afterEach(() => rig.close());
	/** Images that this process has open. */
	const openImages = async () => {
		const names = await readdir("/proc/self/fd");
		const paths = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
		return paths.filter((path) => path.endsWith(".bin")).length;
	};

	async function ask(device: TestDevice) {
		const socket = connect(port, "127.0.0.1");
		socket.on("error", () => undefined);
		await once(socket, "connect");
		const authorization = device.authorization(PATH);
		socket.write(
			`GET ${PATH} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: ${authorization}\r\n\r\n`,
		);
		return socket;
	}

	it("fifty devices read a megabyte at once, each the whole image", async () => {
		const image = Buffer.from(await rig.publish({ sizeBytes: 1_048_576 }));
		const devices: TestDevice[] = [];
		for (let i = 0; i < 50; i++) devices.push(await rig.device(`dev-${i}`));
		const hashes = await Promise.all(
			devices.map(async (device) => {
				const answer = await fetch(`http://127.0.0.1:${port}${PATH}`, {
					headers: { authorization: device.authorization(PATH), connection: "close" },
				});
				return sha256(new Uint8Array(await answer.arrayBuffer()));
			}),
		);
		expect(new Set(hashes)).toEqual(new Set([sha256(image)]));
		await expect.poll(openImages).toBe(0);
	});

	it("readers that go away leave no file open; a slow one costs no memory", async () => {
		const device = await rig.device();
		await rig.publish({ sizeBytes: 8_000_000 });
		const memoryBefore = process.memoryUsage().arrayBuffers;
		const sockets = [];
		for (let i = 0; i < 20; i++) {
			const socket = await ask(device);
			await once(socket, "readable");
			sockets.push(socket);
		}
		// Nobody reads on: what is buffered is what a socket takes, not 20 images.
		await new Promise((resolve) => setTimeout(resolve, 300));
		expect(process.memoryUsage().arrayBuffers - memoryBefore).toBeLessThan(20 * 2_000_000);
		expect(await openImages()).toBe(20);
		for (const socket of sockets) socket.destroy();
		await expect.poll(openImages).toBe(0);
	});
});
