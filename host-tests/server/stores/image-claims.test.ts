// Images that are kept and removed by several at once, while the image store takes its time.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../../server/stores/database.js";
import {
	CLAIM_MS,
	claimKeeping,
	claimRemoval,
	dropClaim,
	redeemClaim,
} from "../../../server/stores/image-claims.js";
import { openImageFolder } from "../../../server/stores/image-folder.js";
import type { ImageStore } from "../../../server/stores/image-store.js";
import { migrateToLatest } from "../../../server/stores/migrate.js";
import type { Records } from "../../../server/stores/tables.js";
import { makeImage, sha256, signStatement, statementFor } from "../release-kit.js";
import { problemOf, ServerRig } from "../server-rig.js";
import { type TestDatabase, testDatabase } from "../test-database.js";

describe("a claim to an image", () => {
	let database: TestDatabase;
	let db: Records;
	beforeEach(async () => {
		database = await testDatabase();
		db = openDatabase(database.url ?? ":memory:");
		await migrateToLatest(db);
	});
	afterEach(async () => {
		await db.destroy();
		await database.remove();
	});
	const wanted = { hash: "a".repeat(64), nowMs: 1 };
	const redeem = (id: string, nowMs = 1) =>
		db.transaction().execute((transaction) => redeemClaim(transaction, id, nowMs));

	it("to keep it may be many's, and holds its removal back until the last is dropped", async () => {
		const [one, other] = await Promise.all([claimKeeping(db, wanted), claimKeeping(db, wanted)]);
		expect(await claimRemoval(db, wanted)).toBeUndefined();
		await dropClaim(db, one);
		expect(await claimRemoval(db, wanted)).toBeUndefined();
		await dropClaim(db, other);
		expect(await claimRemoval(db, wanted)).toBeDefined();
	});

	it("to remove it is one's, and holds back who would keep it, not who keeps another", async () => {
		const claims = await Promise.all([claimRemoval(db, wanted), claimRemoval(db, wanted)]);
		expect(claims.filter((id) => id !== undefined)).toHaveLength(1);
		await expect(claimKeeping(db, wanted)).rejects.toMatchObject({ code: "server-unavailable" });
		await claimKeeping(db, { ...wanted, hash: "b".repeat(64) });
		await dropClaim(db, claims.find((id) => id !== undefined) ?? "");
		await claimKeeping(db, wanted);
	});

	it("ends by itself when its server went away, and is worth nothing to one that was too slow", async () => {
		const id = await claimKeeping(db, wanted);
		expect(await claimRemoval(db, { ...wanted, nowMs: CLAIM_MS })).toBeUndefined();
		await expect(redeem(id, CLAIM_MS + 1)).rejects.toMatchObject({ code: "server-unavailable" });
		expect(await claimRemoval(db, { ...wanted, nowMs: CLAIM_MS + 1 })).toBeDefined();
		await expect(redeem(id)).rejects.toMatchObject({ code: "server-unavailable" });
	});

	it("is redeemed once", async () => {
		const id = await claimKeeping(db, wanted);
		await redeem(id);
		await expect(redeem(id)).rejects.toMatchObject({ code: "server-unavailable" });
	});
});

describe("while the image store takes its time", () => {
	let rig: ServerRig;
	let folder: string;
	let images: ImageStore;
	/** Held: keep() and remove() of this image begin, and end when the test says so. */
	let held: string | undefined;
	let isHeld: Promise<void>;
	let go: () => void;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "fota-claims-test-"));
		const store = await openImageFolder({ directory: folder });
		held = undefined;
		let begun = () => {};
		isHeld = new Promise((resolve) => {
			begun = resolve;
		});
		const released = new Promise<void>((resolve) => {
			go = resolve;
		});
		const pause = async (hash: string) => {
			if (hash !== held) return;
			begun();
			await released;
		};
		images = {
			...store,
			async stage(source, options) {
				const staged = await store.stage(source, options);
				return { ...staged, keep: () => pause(staged.hash).then(() => staged.keep()) };
			},
			remove: (hash) => pause(hash).then(() => store.remove(hash)),
		};
		rig = await ServerRig.create({ images });
	});
	afterEach(async () => {
		go();
		await rig.close();
		await rm(folder, { recursive: true });
	});
	const uploadOf = (version: string, seed: number) => {
		const image = makeImage({ version, seed });
		const release = signStatement(statementFor(image, { version }), rig.releaseKey);
		return { hash: sha256(image), upload: () => rig.upload(image, release) };
	};

	it("over an upload, devices are answered, and other releases are published", async () => {
		const [slow, other] = [uploadOf("2.0.0", 1), uploadOf("3.0.0", 2)];
		const device = await rig.device();
		held = slow.hash;
		const uploading = slow.upload();
		await isHeld;
		expect((await device.report(rig.server)).statusCode).toBe(200);
		expect((await other.upload()).statusCode).toBe(201);
		go();
		expect((await uploading).statusCode).toBe(201);
	});

	it("two uploads of one version with different images leave the image of the one that was published", async () => {
		const [slow, quick] = [uploadOf("2.0.0", 1), uploadOf("2.0.0", 2)];
		held = slow.hash;
		const uploading = slow.upload();
		await isHeld;
		expect((await quick.upload()).statusCode).toBe(201);
		go();
		expect(problemOf(await uploading)).toBe("409 release-exists");
		expect(await images.listKeptBefore(Number.MAX_SAFE_INTEGER)).toEqual([quick.hash]);
	});
});
