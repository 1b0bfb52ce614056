// Downloads under way when the device may not have the release any more. One answer may hold the whole image.
import { get, type IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "./release-kit.js";
import { ServerRig } from "./server-rig.js";
import type { TestDevice } from "./test-device.js";

/** More than sockets take that nobody reads. */
const SIZE_BYTES = 8_000_000;
const CHUNK_BYTES = 32_768;

let rig: ServerRig;
let url: string;
let device: TestDevice;
let hash: string;
beforeEach(async () => {
	rig = await ServerRig.create({ downloadRecheckMs: 50 });
	url = await rig.app.listen();
	device = await rig.device();
	hash = sha256(await rig.publish({ sizeBytes: SIZE_BYTES }));
});
afterEach(() => rig.close());

/** Reads on once `between` is done; how many bytes came, and whether that was all. */
async function download(target: string, between: () => Promise<unknown>) {
	const headers = {
		authorization: device.authorization(target),
		accept: "application/vnd.fota.chunks, application/octet-stream",
	};
	const response = await new Promise<IncomingMessage>((resolve, reject) => {
		get(`${url}${target}`, { headers }, resolve).once("error", reject);
	});
	let size = 0;
	expect(response.statusCode).toBe(200);
	await between();
	try {
		for await (const piece of response) size += piece.length;
	} catch {
		// Cut.
	}
	return { size, isComplete: response.complete };
}

function connectionCount(): Promise<number> {
	return new Promise((resolve, reject) => {
		rig.server.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
	});
}

const count = Math.ceil(SIZE_BYTES / CHUNK_BYTES);
const ways: readonly (readonly [string, () => string])[] = [
	[
		"as chunks",
		() => `/api/inverter/fota/chunk?chunk_number=0&count=${count}&chunk_size=${CHUNK_BYTES}&hash=${hash}`,
	],
	["as a whole", () => "/api/ota/download/1"],
];

describe.each(ways)("a download %s", (_name, target) => {
	it("comes to its end", async () => {
		const { size, isComplete } = await download(target(), async () => {});
		expect(isComplete).toBe(true);
		expect(size).toBeGreaterThanOrEqual(SIZE_BYTES);
	});

	const changes: readonly (readonly [string, () => Promise<{ readonly statusCode: number }>])[] = [
		["its release is deactivated", () => rig.post("/api/cloud/fota/releases/1/deactivate")],
		[
			"its device is taken out of service",
			() => rig.post("/api/devices/dev-1/decommission", { reason: "stolen" }),
		],
		["its device gets another key", () => rig.post("/api/devices/dev-1/key", { reason: "it got out" })],
	];
	it.each(changes)("is cut when %s", async (_change, change) => {
		const { size, isComplete } = await download(target(), async () => {
			expect((await change()).statusCode).toBe(200);
			await expect.poll(connectionCount).toBe(0);
		});
		expect(isComplete).toBe(false);
		expect(size).toBeLessThan(SIZE_BYTES);
	});
});
