// What both image stores do, the folder and the object store, and what only the object store can get wrong.
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openImageFolder } from "../../../server/stores/image-folder.js";
import type { ImageStore } from "../../../server/stores/image-store.js";
import { openS3Images } from "../../../server/stores/s3-images.js";
import { IMAGE_MAX_BYTES } from "../../../src/protocol/limits.js";
import { BUCKET, S3_CREDENTIALS, S3Server } from "../../support/s3-server.js";

const HOUR_MS = 3_600_000;

interface Place {
	readonly images: ImageStore;
	/** Of everything in it. */
	names(): Promise<string[]>;
	/** Makes everything in it an hour older. */
	age(): Promise<void>;
	close(): Promise<void>;
}

const cachedFolderPlace = () => folderPlace(IMAGE_MAX_BYTES);

async function folderPlace(cacheBytes = 0): Promise<Place> {
	const directory = await mkdtemp(join(tmpdir(), "fota-images-test-"));
	const names = async () => {
		const entries = await readdir(directory, { recursive: true, withFileTypes: true });
		return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
	};
	return {
		images: await openImageFolder({ directory, cacheBytes }),
		names,
		async age() {
			const timeS = (Date.now() - HOUR_MS) / 1000;
			for (const name of await names()) await utimes(name, timeS, timeS);
		},
		close: () => rm(directory, { recursive: true }),
	};
}

async function s3Place(timeoutMs = 20_000): Promise<Place & { readonly server: S3Server }> {
	const server = await S3Server.start();
	const images = await openS3Images({
		bucket: BUCKET,
		endpoint: server.endpoint,
		credentials: S3_CREDENTIALS,
		prefix: "fleet one/",
		cacheBytes: 10_000,
		timeoutMs,
	});
	return {
		server,
		images,
		names: async () => [...server.objects.keys()],
		async age() {
			for (const name of server.objects.keys()) server.age(name, Date.now() - HOUR_MS);
		},
		async close() {
			await images.close();
			await server.close();
		},
	};
}

async function* piecesOf(bytes: Uint8Array, pieceBytes = 1000): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function keep(images: ImageStore, bytes: Uint8Array): Promise<string> {
	const staged = await images.stage(piecesOf(bytes), { maxBytes: bytes.length });
	await staged.keep();
	await staged.discard();
	return staged.hash;
}

async function readAll(images: ImageStore, hash: string, sizeBytes: number): Promise<Buffer> {
	const image = await images.open(hash);
	const bytes = Buffer.from(await image.read(0, sizeBytes));
	await image.close();
	return bytes;
}

describe.each([
	["the folder", () => folderPlace()],
	["the folder with images in memory", cachedFolderPlace],
	["the object store", s3Place],
] as const)("%s", (_name, open: () => Promise<Place>) => {
	let place: Place;
	beforeEach(async () => {
		place = await open();
	});
	afterEach(() => place.close());
	const bytes = randomBytes(5000);

	it("gives what was kept, whole and in parts", async () => {
		const staged = await place.images.stage(piecesOf(bytes), { maxBytes: 5000 });
		expect(staged).toMatchObject({ sizeBytes: 5000, hash: createHash("sha256").update(bytes).digest("hex") });
		expect(Buffer.from(await staged.read()).equals(bytes)).toBe(true);
		await expect(place.images.open(staged.hash)).rejects.toMatchObject({ code: "server-failed" });
		await staged.keep();
		await staged.discard();
		await staged.discard();
		expect((await readAll(place.images, staged.hash, 5000)).equals(bytes)).toBe(true);
		const image = await place.images.open(staged.hash);
		expect(Buffer.from(await image.read(4990, 10)).equals(bytes.subarray(4990))).toBe(true);
		await expect(image.read(4991, 10)).rejects.toMatchObject({ code: "server-failed" });
		await image.close();
		expect(await place.names()).toHaveLength(1);
		await place.images.check();
	});

	it("leaves nothing of an image that is too large, breaks off or is discarded", async () => {
		const { images } = place;
		await expect(images.stage(piecesOf(bytes), { maxBytes: 4999 })).rejects.toMatchObject({
			code: "upload-too-large",
		});
		async function* breaking() {
			yield bytes;
			throw new Error("gone");
		}
		await expect(images.stage(breaking(), { maxBytes: 5000 })).rejects.toThrow("gone");
		await (await images.stage(piecesOf(bytes), { maxBytes: 5000 })).discard();
		expect(await place.names()).toEqual([]);
	});

	it("takes an image that it has again, and removes one once", async () => {
		const { images } = place;
		const hash = await keep(images, bytes);
		expect(await keep(images, bytes)).toBe(hash);
		expect(await place.names()).toHaveLength(1);
		await images.remove(hash);
		await images.remove(hash);
		expect(await place.names()).toEqual([]);
		await expect(images.open(hash)).rejects.toMatchObject({ code: "server-failed" });
	});

	it("tells old images and unfinished uploads from new ones", async () => {
		const { images } = place;
		const beforeMs = Date.now() - HOUR_MS / 2;
		const hashes = [];
		for (let i = 0; i < 5; i++) hashes.push(await keep(images, randomBytes(100)));
		await images.stage(piecesOf(bytes), { maxBytes: 5000 });
		expect([await images.listKeptBefore(beforeMs), await images.removeUnfinished(beforeMs)]).toEqual([[], 0]);
		await place.age();
		const young = await images.stage(piecesOf(bytes), { maxBytes: 5000 });
		expect((await images.listKeptBefore(beforeMs)).sort()).toEqual(hashes.sort());
		expect(await images.removeUnfinished(beforeMs)).toBe(1);
		expect(await place.names()).toHaveLength(6);
		await young.discard();
	});

	it("counts an image that is kept again as new", async () => {
		const hash = await keep(place.images, bytes);
		await place.age();
		await keep(place.images, bytes);
		expect(await place.images.listKeptBefore(Date.now() - HOUR_MS / 2)).not.toContain(hash);
	});
});

describe("the object store", () => {
	let place: Awaited<ReturnType<typeof s3Place>>;
	beforeEach(async () => {
		place = await s3Place();
	});
	afterEach(() => place.close());
	const bytes = randomBytes(5000);

	it("is asked once for what many read at once, and not again while it is in memory", async () => {
		const hash = await keep(place.images, bytes);
		const countGets = () => place.server.requests.filter((line) => line.startsWith("GET")).length;
		await Promise.all(Array.from({ length: 20 }, () => readAll(place.images, hash, 5000)));
		expect(countGets()).toBe(1);
		for (let i = 0; i < 3; i++)
			await readAll(place.images, await keep(place.images, randomBytes(4000)), 4000);
		await readAll(place.images, hash, 5000);
		expect(countGets()).toBe(5);
	});

	it("is not believed when it gives other bytes", async () => {
		const hash = await keep(place.images, bytes);
		const [name = ""] = place.server.objects.keys();
		place.server.objects.set(name, { bytes: Buffer.alloc(5000), modifiedMs: 0 });
		await expect(place.images.open(hash)).rejects.toThrow(/not what it was/);
	});

	it.each(["status-500", "status-503", "cut"] as const)("is asked again after one %s", async (fault) => {
		const hash = await keep(place.images, bytes);
		Object.assign(place.server, { fault, faultCount: 1 });
		expect((await readAll(place.images, hash, 5000)).equals(bytes)).toBe(true);
	});

	it.each(["status-500", "cut", "denied", "silent", "half-a-body"] as const)(
		"that goes on with %s is unavailable, and served from again once it is back",
		async (fault) => {
			if (fault === "silent" || fault === "half-a-body") {
				await place.close();
				place = await s3Place(500);
			}
			const { images, server } = place;
			const hash = await keep(images, bytes);
			server.fault = fault;
			await expect(images.open(hash)).rejects.toMatchObject({ code: "server-unavailable" });
			if (fault !== "half-a-body") {
				await expect(images.check()).rejects.toMatchObject({ code: "server-unavailable" });
				await expect(images.stage(piecesOf(bytes), { maxBytes: 5000 })).rejects.toMatchObject({
					code: "server-unavailable",
				});
			}
			server.fault = "none";
			expect((await readAll(images, hash, 5000)).equals(bytes)).toBe(true);
		},
	);

	it("says nothing of its credentials when it refuses them", async () => {
		const images = await openS3Images({
			bucket: BUCKET,
			endpoint: place.server.endpoint,
			credentials: { accessKeyId: "AKTEST", secretAccessKey: "another secret" },
			cacheBytes: 0,
		});
		const error = await images.check().catch((cause: Error) => cause);
		expect(error).toMatchObject({ code: "server-unavailable" });
		expect(String((error as Error).message)).not.toMatch(/secret|AKTEST/);
		await images.close();
	});
});
