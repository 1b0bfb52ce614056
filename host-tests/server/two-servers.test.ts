// Two servers side by side on one database and one object store: a device may speak to either at any moment.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BUCKET, S3_CREDENTIALS, S3Server } from "../support/s3-server.js";
import { makeImage, makeReleaseKey, sha256, signStatement, statementFor } from "./release-kit.js";
import { createRigApp, problemOf, ServerRig } from "./server-rig.js";
import { databaseKind, type TestDatabase, testDatabase } from "./test-database.js";

const FRAMES = { accept: "application/vnd.fota.chunks" };

// A SQLite file belongs to one process.
describe.runIf(databaseKind === "PostgreSQL")("two servers on one database", () => {
	let store: S3Server;
	let database: TestDatabase;
	let left: ServerRig;
	let right: ServerRig;
	beforeEach(async () => {
		store = await S3Server.start();
		database = await testDatabase();
		const s3 = {
			bucket: BUCKET,
			endpoint: store.endpoint,
			credentials: S3_CREDENTIALS,
			cacheBytes: 1e6,
			timeoutMs: 20_000,
		};
		const options = { databaseUrl: database.url, s3 };
		const releaseKey = makeReleaseKey();
		const [one, other] = await Promise.all([createRigApp(options), createRigApp(options)]);
		left = new ServerRig(one, releaseKey);
		right = new ServerRig(other, releaseKey);
		await left.registerReleaseKey();
	});
	afterEach(async () => {
		await Promise.all([left.close(), right.close()]);
		await database.remove();
		await store.close();
	});

	it("serve a device that changes between them in the middle of an update", async () => {
		const device = await left.device();
		const image = Buffer.from(await right.publish({ sizeBytes: 50_000 }));
		const hash = sha256(image);
		expect((await device.manifest(left.server)).json().hash).toBe(hash);
		const pieces: Buffer[] = [];
		for (let number = 0; number < Math.ceil(image.length / 4096); number++) {
			const target = `/api/inverter/fota/chunk?chunk_number=${number}&count=1&chunk_size=4096&hash=${hash}`;
			const answer = await device.send(number % 2 ? left.server : right.server, target, { headers: FRAMES });
			expect(answer.statusCode).toBe(200);
			pieces.push(answer.rawPayload.subarray(4, -32));
			const reported = { state: "DOWNLOADING", chunksReceived: number + 1, chunkCount: 13 } as const;
			const target_ = { version: "1.1.0", hash };
			await device.report((number % 2 ? right : left).server, { ...reported, target: target_ });
		}
		expect(Buffer.concat(pieces).equals(image)).toBe(true);
		const seen = await Promise.all(
			[left, right].map((rig) => rig.get("/api/cloud/fota/status?device_id=dev-1")),
		);
		expect(seen.map((answer) => answer.json().chunk_received)).toEqual([13, 13]);
		expect(await left.eventTypes("fota")).toEqual(await right.eventTypes("fota"));
	});

	it("let a nonce through once, whichever it comes to", async () => {
		const device = await left.device();
		for (let nonce = 1; nonce <= 20; nonce++) {
			const call = { nonce };
			const answers = await Promise.all(
				[left, right].map((rig) => device.send(rig.server, "/api/inverter/fota/rollback-status", call)),
			);
			expect(answers.map((answer) => answer.statusCode).sort()).toEqual([200, 401]);
		}
	});

	it("make one release of an upload that comes to both at once, and keep one of two that differ", async () => {
		const image = makeImage({ sizeBytes: 20_000 });
		const statement = signStatement(statementFor(image), left.releaseKey);
		const same = await Promise.all([left, right, left, right].map((rig) => rig.upload(image, statement)));
		expect(same.map((answer) => answer.statusCode).sort()).toEqual([200, 200, 200, 201]);
		const version = "2.0.0";
		const [a, b] = [makeImage({ version, sizeBytes: 20_000 }), makeImage({ version, sizeBytes: 20_064 })];
		const signed = (bytes: Uint8Array) => signStatement(statementFor(bytes, { version }), left.releaseKey);
		const answers = await Promise.all([left.upload(a, signed(a)), right.upload(b, signed(b))]);
		expect(answers.map((answer) => answer.statusCode).sort()).toEqual([201, 409]);
		const kept = [...store.objects.keys()].filter((name) => name.startsWith("images/"));
		expect(kept).toHaveLength(2);
		expect(store.objects.size).toBe(2);
	});

	it("give rising ids to rollback orders that are made at once", async () => {
		await left.device();
		const body = { device_id: "dev-1", reason: "both" };
		const answers = await Promise.all(
			Array.from({ length: 10 }, (_, i) => (i % 2 ? left : right).post("/api/cloud/fota/rollback", body)),
		);
		expect(answers.map((answer) => answer.statusCode)).toEqual(Array(10).fill(201));
		expect(new Set(answers.map((answer) => answer.json().order_id)).size).toBe(10);
	});

	it("record each event of a report once, however often and wherever it is repeated", async () => {
		const device = await left.device();
		const applied = { bootStatus: "boot_successful", version: "1.1.0", uptimeSeconds: 40 } as const;
		await device.report(left.server, { state: "REBOOTING", bootStatus: "pending_reboot" });
		await Promise.all([left, right, left, right].map((rig) => device.report(rig.server, applied)));
		const types = await left.eventTypes("fota");
		expect(types.filter((type) => type === "boot_successful")).toHaveLength(1);
	});

	it("say that images are out of reach while the object store is away, and serve again after it", async () => {
		const device = await left.device();
		const hash = sha256(await left.publish());
		const target = `/api/inverter/fota/chunk?chunk_number=0&count=1&chunk_size=4096&hash=${hash}`;
		const fetchChunk = () => device.send(right.server, target, { headers: FRAMES });
		store.fault = "status-503";
		expect(problemOf(await fetchChunk())).toBe("503 server-unavailable");
		const image = makeImage({ version: "3.0.0" });
		const release = signStatement(statementFor(image, { version: "3.0.0" }), left.releaseKey);
		expect(problemOf(await left.upload(image, release))).toBe("503 server-unavailable");
		store.fault = "none";
		expect((await fetchChunk()).statusCode).toBe(200);
		expect((await left.upload(image, release)).statusCode).toBe(201);
	});
});
