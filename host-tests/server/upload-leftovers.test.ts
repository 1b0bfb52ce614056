// An image store that will not let go of what an upload left: the upload's outcome stands, and it is tried again later.

import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLEAN_UP_TASK_MS } from "../../server/open-stores.js";
import type { Every } from "../../server/regular-work.js";
import { openImageFolder } from "../../server/stores/image-folder.js";
import type { ImageStore } from "../../server/stores/image-store.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { makeImage, signStatement, statementFor } from "./release-kit.js";
import { problemOf, ServerRig } from "./server-rig.js";

const INCOMING = "incoming";

describe("an image store that refuses to remove what an upload left", () => {
	let folder: string;
	let store: ImageStore;
	let rig: ServerRig;
	let isAway: boolean;
	let cleanUp: () => Promise<void>;
	const refuse = () => {
		throw new FotaError("server-unavailable", "the object store refused to remove an image: TimeoutError");
	};
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "fota-leftovers-test-"));
		store = await openImageFolder({ directory: folder });
		isAway = true;
		const images: ImageStore = {
			...store,
			stage: async (source, options) => {
				const staged = await store.stage(source, options);
				return { ...staged, discard: async () => (isAway ? refuse() : staged.discard()) };
			},
			removeUnfinished: async (beforeMs) => (isAway ? refuse() : store.removeUnfinished(beforeMs)),
		};
		const tasks: (() => Promise<void>)[] = [];
		const every: Every = (everyMs, task) => {
			if (everyMs === CLEAN_UP_TASK_MS) tasks.push(task);
			return () => {};
		};
		rig = await ServerRig.create({ images, every });
		rig.clock.nowMs = Date.now();
		cleanUp = async () => {
			for (const task of tasks) await task();
		};
	});
	afterEach(async () => {
		await rig.close();
		await rm(folder, { recursive: true });
	});

	const upload = (version: string, more = Buffer.alloc(0)) => {
		const image = makeImage({ version });
		const release = signStatement(statementFor(image, { version, chip: "esp32" }), rig.releaseKey);
		return rig.upload(Buffer.concat([image, more]), release);
	};

	it("takes nothing from a release that is made", async () => {
		expect((await upload("1.1.0")).statusCode).toBe(201);
		expect(await rig.eventTypes("fota")).not.toContain("upload_refused");
		expect((await rig.get("/api/cloud/fota/releases")).json().releases.length).toBe(1);
	});

	it("does not hide why an upload is refused; what it left is removed once it is an hour old", async () => {
		expect(problemOf(await upload("1.1.0", Buffer.alloc(16)))).toBe("422 manifest-mismatch");
		const left = async () => readdir(join(folder, INCOMING));
		const [name = ""] = await left();
		expect(await left()).toHaveLength(1);
		isAway = false;
		await cleanUp();
		expect(await left()).toHaveLength(1);
		const oldS = rig.clock.nowMs / 1000 - 3601;
		await utimes(join(folder, INCOMING, name), oldS, oldS);
		isAway = true;
		await cleanUp();
		expect(await left()).toHaveLength(1);
		isAway = false;
		await cleanUp();
		expect(await left()).toEqual([]);
	});
});
