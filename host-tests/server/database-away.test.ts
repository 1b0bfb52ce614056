// PostgreSQL stopped and started again under a server that goes on running.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Postgres } from "../../scripts/system-programs/postgres.js";
import { makeDatabase, startTestPostgres } from "../support/postgres.js";
import { makeImage, signStatement, statementFor } from "./release-kit.js";
import { problemOf, ServerRig } from "./server-rig.js";
import { databaseKind } from "./test-database.js";
import type { TestDevice } from "./test-device.js";

describe.runIf(databaseKind === "PostgreSQL")("while PostgreSQL is away", () => {
	let postgres: Postgres;
	let rig: ServerRig;
	let device: TestDevice;
	beforeAll(async () => {
		postgres = await startTestPostgres();
	});
	afterAll(() => postgres.stop());
	beforeEach(async () => {
		rig = await ServerRig.create({ databaseUrl: await makeDatabase(postgres.url, `away_${Date.now()}`) });
		device = await rig.device();
	});
	afterEach(async () => {
		await postgres.resume();
		await rig.close();
	});

	it("every kind of route says so with a pause to take, and serves again when it is back, without a restart", async () => {
		const image = makeImage();
		const release = signStatement(statementFor(image), rig.releaseKey);
		await postgres.pause();
		const refused = [
			await device.manifest(rig.server),
			await device.report(rig.server),
			await rig.get("/api/cloud/fota/status"),
			await rig.upload(image, release),
			await rig.post("/api/cloud/fota/devices", { device_id: "dev-2", device_type: "t" }),
		];
		for (const answer of refused) {
			expect(problemOf(answer)).toBe("503 server-unavailable");
			expect(answer.headers["retry-after"]).toBe("10");
			expect(answer.body).not.toMatch(/127\.0\.0\.1|postgres:/);
		}
		expect((await rig.server.inject("/health")).statusCode).toBe(200);
		await postgres.resume();
		expect((await device.report(rig.server)).statusCode).toBe(200);
		expect((await rig.upload(image, release)).statusCode).toBe(201);
	});

	it("is cut in the middle of many transactions: none ends otherwise than done or refused, and the process lives", {
		timeout: 300_000,
	}, async () => {
		const outcomes = new Map<string, number>();
		let isOver = false;
		const devices = await Promise.all(Array.from({ length: 12 }, (_, i) => rig.device(`busy-${i}`)));
		const busy = devices.map(async (one) => {
			for (let uptimeSeconds = 1; !isOver; uptimeSeconds++) {
				const answer = await one.report(rig.server, { uptimeSeconds });
				const outcome = answer.statusCode === 200 ? "200" : problemOf(answer);
				outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
			}
		});
		const more = async (outcome: string) => {
			const before = outcomes.get(outcome) ?? 0;
			await expect.poll(() => outcomes.get(outcome) ?? 0).toBeGreaterThan(before + 20);
		};
		for (let i = 0; i < 3; i++) {
			await more("200");
			await postgres.pause();
			await more("503 server-unavailable");
			await postgres.resume();
		}
		isOver = true;
		await Promise.all(busy);
		// A nonce that was taken before the cut is stale when the device repeats it; ours go on rising.
		expect([...outcomes.keys()].sort()).toEqual(["200", "503 server-unavailable"]);
		for (const one of devices) expect((await one.report(rig.server)).statusCode).toBe(200);
	});
});
