// Scenario 3 and "Bad input", the download: chunks that are tampered with, moved, cut or too many, and images that are
// not what was promised although every chunk is authentic. The old firmware runs on.

import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { CHUNK_PATH, FRAME_OVERHEAD_BYTES } from "../../src/protocol/chunk-frames.js";
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import { MANIFEST_PATH } from "../../src/protocol/manifest.js";
import { forgeChunks, forgeJson, manifestJson } from "../support/forged-answer.js";
import type { Exchange, Verdict } from "../support/meddling-proxy.js";
import { type Release, Rig } from "../support/rig.js";

const CHUNK_BYTES = 16_384;
const FRAME_BYTES = CHUNK_BYTES + FRAME_OVERHEAD_BYTES;

type Tamper = (exchange: Exchange) => Verdict;

function frame(body: Buffer, index: number): Buffer {
	return body.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES);
}

function answering(status: number): Tamper {
	return (exchange) => {
		exchange.status = status;
		return undefined;
	};
}

const TAMPERINGS: readonly { title: string; code: ErrorCode; tamper: Tamper }[] = [
	{
		title: "one bit is turned",
		code: "chunk-mac-mismatch",
		tamper: (exchange) => {
			const at = FRAME_BYTES + 100;
			exchange.body[at] = (exchange.body[at] ?? 0) ^ 1;
			return undefined;
		},
	},
	{
		title: "two chunks change places",
		code: "chunk-mac-mismatch",
		tamper: (exchange) => {
			const { body } = exchange;
			const swapped = [frame(body, 0), frame(body, 2), frame(body, 1)];
			exchange.body = Buffer.concat([...swapped, body.subarray(3 * FRAME_BYTES)]);
			return undefined;
		},
	},
	{
		title: "a chunk comes twice",
		code: "chunk-mac-mismatch",
		tamper: (exchange) => {
			const { body } = exchange;
			exchange.body = Buffer.concat([frame(body, 0), frame(body, 0), body.subarray(2 * FRAME_BYTES)]);
			return undefined;
		},
	},
	{
		title: "a chunk says that it is longer",
		code: "chunk-malformed",
		tamper: (exchange) => {
			exchange.body.writeUInt32BE(0xffff_ffff, 0);
			return undefined;
		},
	},
	{
		title: "the last chunks are missing",
		code: "chunk-malformed",
		tamper: (exchange) => {
			exchange.body = exchange.body.subarray(0, 3 * FRAME_BYTES);
			return undefined;
		},
	},
	{
		title: "the body is empty",
		code: "chunk-malformed",
		tamper: (exchange) => {
			exchange.body = Buffer.alloc(0);
			return undefined;
		},
	},
	{
		title: "there are more bytes than were asked for",
		code: "chunk-malformed",
		tamper: (exchange) => {
			exchange.body = Buffer.concat([exchange.body, Buffer.alloc(5000)]);
			return undefined;
		},
	},
	{
		title: "there is a chunk more than was asked for",
		code: "chunk-malformed",
		tamper: (exchange) => {
			exchange.body = Buffer.concat([exchange.body, frame(exchange.body, 0)]);
			return undefined;
		},
	},
	{
		title: "a chunk is a byte short",
		code: "chunk-mac-mismatch",
		tamper: (exchange) => {
			const { body } = exchange;
			exchange.body = Buffer.concat([body.subarray(0, FRAME_BYTES - 1), body.subarray(FRAME_BYTES)]);
			return undefined;
		},
	},
	{ title: "the server answers 404", code: "http-status", tamper: answering(404) },
	{ title: "the server answers 503", code: "http-status", tamper: answering(503) },
	{ title: "the server stops half-way", code: "network-timeout", tamper: () => "half" },
];

describe("a download in which", { timeout: 240_000 }, () => {
	test.each(TAMPERINGS)("$title is put right by fetching again", async ({ code, tamper }) => {
		const rig = await Rig.open();
		const proxy = await rig.proxy();
		const device = await rig.device({ settings: { chunkBytes: CHUNK_BYTES }, port: proxy.port });
		let isDone = false;
		proxy.meddle = (exchange) => {
			if (isDone || !exchange.target.startsWith(CHUNK_PATH)) return undefined;
			isDone = true;
			return tamper(exchange);
		};
		await rig.publish("1.1.0");
		const result = await device.run({ until: ["update 1.1.0 confirmed"] });
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
		expect(result.log).toMatch(new RegExp(`${code}: .*\\(at chunk `));
		await rig.waitForEvent(device, { code, target: "1.1.0" });
		if (code === "chunk-mac-mismatch")
			await rig.waitForEvent(device, { log: "security", type: "device_security_event", code });
	});

	test("every chunk is tampered with for ever stalls, and the old firmware runs on", async () => {
		const rig = await Rig.open();
		const proxy = await rig.proxy();
		const device = await rig.device({ settings: { chunkBytes: CHUNK_BYTES }, port: proxy.port });
		proxy.meddle = (exchange) => {
			if (exchange.target.startsWith(CHUNK_PATH)) exchange.body[50] = (exchange.body[50] ?? 0) ^ 0x80;
			return undefined;
		};
		await rig.publish("1.1.0");
		const running = await device.start();
		await running.waitForLine("download-stalled");
		await rig.waitForEvent(device, { code: "download-stalled" });
		await rig.waitForEvent(device, { log: "security", code: "chunk-mac-mismatch" });
		const { stats } = await running.stop();
		expect(stats?.boots).toBe(1);
		expect(await device.boots()).toMatchObject({ slot: "ota_0", version: "1.0.0" });
	});
});

/** A release that is offered and delivered by somebody who holds the device's key and the release key. */
async function offerForged(announced: Release, delivered: Uint8Array, rig: Rig) {
	const proxy = await rig.proxy();
	const device = await rig.device({ settings: { chunkBytes: CHUNK_BYTES }, port: proxy.port });
	const { deviceKey } = device.identity;
	proxy.meddle = (exchange) => {
		if (exchange.target.startsWith(MANIFEST_PATH))
			forgeJson(exchange, deviceKey, manifestJson(announced, CHUNK_BYTES));
		if (exchange.target.startsWith(CHUNK_PATH))
			forgeChunks(exchange, { deviceKey, announcedHash: announced.statement.hash, image: delivered });
		return undefined;
	};
	return device;
}

describe("an image", { timeout: 240_000 }, () => {
	test("with another hash than was signed is fetched again a bounded number of times, then given up", async () => {
		const rig = await Rig.open();
		const announced = await rig.makeRelease("1.1.0");
		const delivered = announced.image.slice();
		delivered[5000] = (delivered[5000] ?? 0) ^ 1;
		const device = await offerForged(announced, delivered, rig);
		const running = await device.start();
		await running.waitForLine("release-known-bad");
		await rig.waitForEvent(device, { log: "security", code: "hash-mismatch" });
		const { lines, stats } = await running.stop();
		const downloads = lines.filter((line) => line.includes("state DOWNLOADING")).length;
		expect(downloads).toBeGreaterThan(1);
		expect(downloads).toBeLessThanOrEqual(3);
		expect(stats?.boots).toBe(1);
		expect(await device.boots()).toMatchObject({ slot: "ota_0", version: "1.0.0" });
	});

	test.each<{
		title: string;
		code: ErrorCode;
		make: (rig: Rig) => Promise<{ image: Uint8Array; release: Release }>;
	}>([
		{
			title: "that is cut short",
			code: "image-invalid",
			make: async (rig) => {
				const release = await rig.makeRelease("1.1.0");
				return { release, image: release.image.slice(0, release.image.length - 4096) };
			},
		},
		{
			// The chip's own check sees it before the description is compared.
			title: "for another chip",
			code: "image-invalid",
			make: async (rig) => {
				const release = await rig.makeRelease("1.1.0", { chip: "esp32s3" });
				return { release, image: release.image };
			},
		},
		{
			title: "that is no image at all",
			code: "image-invalid",
			make: async (rig) => {
				const release = await rig.makeRelease("1.1.0");
				return { release, image: new Uint8Array(50_000).fill(0x55) };
			},
		},
		{
			title: "of another version than was signed",
			code: "image-invalid",
			make: async (rig) => {
				const release = await rig.makeRelease("1.0.5");
				return { release, image: release.image };
			},
		},
	])("$title, although signed, is never activated", async ({ code, make }) => {
		const rig = await Rig.open();
		const { image, release } = await make(rig);
		const hash = createHash("sha256").update(image).digest("hex");
		// What a release key in wrong hands, or an operator's slip, can sign.
		const claims = { version: "1.1.0", chip: "esp32", sizeBytes: image.length, hash } as const;
		const lie = await rig.makeRelease("1.1.0", { claims });
		const device = await offerForged({ ...release, statement: lie.statement, jws: lie.jws }, image, rig);
		const running = await device.start();
		await running.waitForLine(`${code}: `);
		await rig.waitForEvent(device, { code });
		await running.waitForLine("release-known-bad");
		expect((await running.stop()).stats?.boots).toBe(1);
		expect(await device.boots()).toMatchObject({ slot: "ota_0", version: "1.0.0" });
	});
});

test("a device whose storage is full puts the update off, says so, and runs on", {
	timeout: 240_000,
}, async () => {
	const rig = await Rig.open();
	const full = await rig.makeRelease("1.0.0", { entry: "fills-storage" });
	const device = await rig.device({ image: full.image });
	await rig.publish("1.1.0");
	const running = await device.start();
	await running.waitForLine("storage-failed");
	await rig.waitForEvent(device, { code: "storage-failed" });
	const { log, stats } = await running.stop();
	expect(log).not.toContain("state VERIFYING");
	expect(stats?.boots).toBe(1);
	expect(await device.boots()).toMatchObject({ slot: "ota_0", version: "1.0.0" });
});
