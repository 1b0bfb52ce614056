// Downloads under way when the device may not have the release any more. One answer may hold the whole image. Streams
// without sockets: how much those take that nobody reads is the machine's.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { endWithRight } from "../../server/routes/download-watch.js";
import { decommission, replaceKey } from "../../server/stores/device-service.js";
import { registerDevice } from "../../server/stores/device-store.js";
import { changeDevice } from "../../server/stores/fleet-store.js";
import { openImageFolder } from "../../server/stores/image-folder.js";
import { addReleaseKey, insertRelease } from "../../server/stores/release-store.js";
import type { DeviceRow, Records, ReleaseRow } from "../../server/stores/tables.js";
import { RELEASE_ROW, sha256 } from "./release-kit.js";
import { ServerRig } from "./server-rig.js";
import { openTestDatabase } from "./test-database.js";

const RECHECK_MS = 20;
const BOARD = { deviceId: "d", deviceType: "t", chip: undefined, deviceKeyHex: undefined, nowMs: 1 };

describe("a download under way", () => {
	let database: Awaited<ReturnType<typeof openTestDatabase>>;
	let db: Records;
	let device: DeviceRow;
	let release: ReleaseRow;
	let stream: Readable;
	beforeEach(async () => {
		database = await openTestDatabase();
		db = database.db;
		await addReleaseKey(db, { keyId: "k", publicKeyHex: "04", nowMs: 1 });
		device = await registerDevice(db, BOARD);
		release = await insertRelease(db, RELEASE_ROW);
		const endless = new Readable({ read() {} });
		const caller = { device, deviceKey: new Uint8Array(32), nonce: 1 };
		stream = endWithRight({ db, downloadRecheckMs: RECHECK_MS }, endless, { caller, release });
	});
	afterEach(async () => {
		stream.destroy();
		await database.close();
	});

	const changes: readonly (readonly [string, () => Promise<unknown>])[] = [
		[
			"its release is deactivated",
			() => db.updateTable("releases").set({ is_active: 0 }).where("id", "=", release.id).execute(),
		],
		["its release is withheld from it", () => changeDevice(db, "d", { withheld_release_id: release.id })],
		[
			"its device is taken out of service",
			() => db.transaction().execute((all) => decommission(all, "d", 2)),
		],
		[
			"its device gets another key",
			() => db.transaction().execute((all) => replaceKey(all, "d", { deviceKeyHex: "ab".repeat(32) })),
		],
	];
	it.each(changes)("is cut when %s, and not before", async (_what, change) => {
		await sleep(5 * RECHECK_MS);
		expect(stream.destroyed).toBe(false);
		await change();
		await expect.poll(() => stream.destroyed).toBe(true);
	});

	it("goes on while the database is away", async () => {
		await db.destroy();
		await sleep(5 * RECHECK_MS);
		expect(stream.destroyed).toBe(false);
	});
});

describe("an answer that holds the whole image", () => {
	const SIZE_BYTES = 4_000_000;
	const CHUNK_BYTES = 32_768;
	let folder: string;
	let rig: ServerRig;
	/** Called at the first read of the image; the others take their time. */
	let onRead: () => Promise<unknown>;
	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "fota-download-test-"));
		const store = await openImageFolder({ directory: folder });
		let readCount = 0;
		const open = async (hash: string) => {
			const image = await store.open(hash);
			const read = async (offsetBytes: number, lengthBytes: number) => {
				await (readCount++ === 0 ? onRead() : sleep(RECHECK_MS));
				return image.read(offsetBytes, lengthBytes);
			};
			return { read, close: () => image.close() };
		};
		rig = await ServerRig.create({ images: { ...store, open }, downloadRecheckMs: RECHECK_MS });
	});
	afterEach(async () => {
		await rig.close();
		await rm(folder, { recursive: true });
	});

	/** How many bytes came; undefined where the answer was cut. */
	async function download(how: string): Promise<number | undefined> {
		const device = await rig.device();
		const hash = sha256(await rig.publish({ sizeBytes: SIZE_BYTES }));
		const query = `chunk_number=0&count=${Math.floor(SIZE_BYTES / CHUNK_BYTES)}&chunk_size=${CHUNK_BYTES}&hash=${hash}`;
		const target = how === "whole" ? "/api/ota/download/1" : `/api/inverter/fota/chunk?${query}`;
		const accept = "application/vnd.fota.chunks, application/octet-stream";
		const answer = await device.send(rig.server, target, { headers: { accept } }).catch(() => undefined);
		if (answer === undefined) return undefined;
		expect(answer.statusCode).toBe(200);
		return answer.rawPayload.length;
	}

	it.each(["chunks", "whole"])("comes to its end (%s)", async (how) => {
		onRead = async () => {};
		expect(await download(how)).toBeGreaterThan(SIZE_BYTES - CHUNK_BYTES);
	});

	it.each(["chunks", "whole"])("is cut when its release is deactivated (%s)", async (how) => {
		onRead = () => rig.post("/api/cloud/fota/releases/1/deactivate");
		expect(await download(how)).toBeUndefined();
	});
});
