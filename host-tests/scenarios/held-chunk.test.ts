// Scenario 2, the chunk at which power was cut: it is authenticated where it lies in flash, or fetched again as a whole,
// from an honest server and from others.
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { partitionBytes } from "../../cli/image/flash-image.js";
import { CHUNK_PATH, FRAME_OVERHEAD_BYTES } from "../../src/protocol/chunk-frames.js";
import { forgeChunks } from "../support/forged-answer.js";
import type { MeddlingProxy } from "../support/meddling-proxy.js";
import { type Release, Rig, type TestDevice } from "../support/rig.js";

const CHUNK_BYTES = 4096;
const PAGE_BYTES = 256;
/** A flash operation amid the download; which one does not matter. */
const CUT_OPERATION = 300;

interface Scene {
	readonly rig: Rig;
	readonly proxy: MeddlingProxy;
	readonly device: TestDevice;
	readonly release: Release;
	/** The chunk at which power was cut: some of its pages are programmed, one is torn. */
	readonly chunk: number;
}

/** A device without power, amid a download. */
async function cutOff(): Promise<Scene> {
	const rig = await Rig.open();
	const proxy = await rig.proxy();
	const device = await rig.device({ settings: { chunkBytes: CHUNK_BYTES }, port: proxy.port });
	const release = await rig.publish("1.1.0");
	const args = ["--cut", `${CUT_OPERATION}:half`, "--cut-stays-off"];
	expect((await device.run({ args })).stats?.end).toBe("cut");
	const last = partitionBytes(await device.readFlash(), "ota_1").findLastIndex((byte) => byte !== 0xff);
	// Not at the very end of a chunk: something of it is missing.
	expect(last % CHUNK_BYTES).toBeLessThan(CHUNK_BYTES - PAGE_BYTES);
	return { rig, proxy, device, release, chunk: Math.floor(last / CHUNK_BYTES) };
}

/** As if power had failed right behind the chunk's last page. */
async function completeChunk({ device, release, chunk }: Scene): Promise<void> {
	const flash = Uint8Array.from(await device.readFlash());
	const from = chunk * CHUNK_BYTES;
	partitionBytes(flash, "ota_1").set(release.image.subarray(from, from + CHUNK_BYTES), from);
	await writeFile(device.flash, flash);
}

/** Runs it to the confirmed update and returns what it asked for: first chunk of each request, and if it holds it. */
async function finish({ device, proxy }: Scene): Promise<{ log: string; asked: [number, boolean][] }> {
	proxy.targets.length = 0;
	const { stats, log } = await device.run({ until: ["update 1.1.0 confirmed"] });
	expect(stats).toMatchObject({ end: "until", boots: 2 });
	expect(await device.boots()).toEqual({ slot: "ota_1", state: "valid", version: "1.1.0" });
	const asked = proxy.targets
		.filter((target) => target.startsWith(CHUNK_PATH))
		.map((target) => new URL(target, "http://x").searchParams)
		.map((query): [number, boolean] => [Number(query.get("chunk_number")), query.get("held") === "1"]);
	return { log, asked };
}

describe("the chunk at which power was cut", { timeout: 240_000 }, () => {
	test("is authenticated in flash where it is whole", async () => {
		const scene = await cutOff();
		await completeChunk(scene);
		const { asked, log } = await finish(scene);
		expect(asked).toEqual([
			[scene.chunk, true],
			[scene.chunk + 1, false],
		]);
		expect(log).not.toContain("torn");
	});

	test("is found torn and fetched again where it is not", async () => {
		const scene = await cutOff();
		const { asked, log } = await finish(scene);
		expect(asked).toEqual([
			[scene.chunk, true],
			[scene.chunk, false],
		]);
		expect(log).toContain(`chunk ${scene.chunk} was torn in flash, it is fetched again`);
	});

	test("is fetched again when somebody lies about its MAC", async () => {
		const scene = await cutOff();
		await completeChunk(scene);
		scene.proxy.meddle = (exchange) => {
			if (!exchange.target.includes("&held=1")) return undefined;
			const at = FRAME_OVERHEAD_BYTES - 1;
			exchange.body[at] = (exchange.body[at] ?? 0) ^ 1;
			return undefined;
		};
		expect((await finish(scene)).asked).toEqual([
			[scene.chunk, true],
			[scene.chunk, false],
		]);
	});

	test("is fetched again from a server that knows nothing of held chunks", async () => {
		const scene = await cutOff();
		await completeChunk(scene);
		const { deviceKey } = scene.device.identity;
		const { hash, image } = scene.release;
		scene.proxy.meddle = (exchange) => {
			if (exchange.target.startsWith(CHUNK_PATH))
				forgeChunks(exchange, { deviceKey, announcedHash: hash, image });
			return undefined;
		};
		expect((await finish(scene)).asked).toEqual([
			[scene.chunk, true],
			[scene.chunk, false],
		]);
	});
});
