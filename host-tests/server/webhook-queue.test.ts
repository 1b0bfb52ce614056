// The queue of webhooks with two servers on one database: who queues, who sends, what a server that went away leaves.
import { sql } from "kysely";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../server/stores/database.js";
import {
	claimDue,
	insertDeliveries,
	recordAttempt,
	redeliver,
	removeFinished,
} from "../../server/stores/delivery-store.js";
import { migrateToLatest } from "../../server/stores/migrate.js";
import type { Records } from "../../server/stores/tables.js";
import { deactivateWebhook, insertWebhook } from "../../server/stores/webhook-store.js";
import { createDeliveryWorker } from "../../server/webhooks/delivery-worker.js";
import { createRigApp, ServerRig } from "./server-rig.js";
import { databaseKind, type TestDatabase, testDatabase } from "./test-database.js";
import { QUICK_WORK, WebhookReceiver } from "./webhook-receiver.js";

const DAY_MS = 86_400_000;
const FIELDS = { url: "https://a.example/", description: null, log: null, types: null, deviceId: null };
const OUTCOME = { responseStatus: 204, durationMs: 1, error: undefined };

let database: TestDatabase;
beforeEach(async () => {
	database = await testDatabase();
});
afterEach(() => database.remove());

describe("a delivery that is claimed", () => {
	let db: Records;
	let webhookId: number;
	beforeEach(async () => {
		db = openDatabase(database.url ?? ":memory:");
		await migrateToLatest(db);
		webhookId = (await insertWebhook(db, { ...FIELDS, salt: "00", createdBy: "t", nowMs: 1 })).id;
		const one = { webhookId, eventId: undefined, type: "t", body: "{}" };
		await insertDeliveries(db, Array(40).fill(one), 1);
	});
	afterEach(() => db.destroy());
	const claim = (nowMs: number, limit = 40) =>
		claimDue(db, { webhookId, limit, leaseUntilMs: nowMs + 100, nowMs });

	it("is nobody else's until its lease is over, however many ask at once", async () => {
		const claims = await Promise.all(Array.from({ length: 8 }, () => claim(1, 10)));
		const ids = claims.flat().map(({ id }) => id);
		expect(new Set(ids).size).toBe(ids.length);
		while ((await claim(1)).length > 0);
		expect(await claim(100)).toEqual([]);
		expect((await claim(101)).map(({ attempts }) => attempts)).toEqual(Array(40).fill(2));
	});

	it("is recorded by who has it, not by one who was too late", async () => {
		const [late] = await claim(1, 1);
		const [again] = (await claim(101)).filter(({ id }) => id === late?.id);
		const result = { outcome: OUTCOME, status: "delivered", nextTryAtMs: undefined, nowMs: 102 } as const;
		expect(late && (await recordAttempt(db, late, result))).toBe(false);
		expect(again && (await recordAttempt(db, again, result))).toBe(true);
		expect(again && (await recordAttempt(db, again, result))).toBe(false);
	});
});

describe("deliveries that were finished long ago", () => {
	it("are removed step by step, a step a round, until none is left", async () => {
		const db = openDatabase(database.url ?? ":memory:");
		const masterKey = Buffer.alloc(32);
		let nowMs = 40 * DAY_MS;
		const options = {
			db,
			masterKey,
			log: pino({ level: "silent" }),
			nowMs: () => nowMs,
			send: { isPrivateAllowed: false },
		};
		const worker = createDeliveryWorker(options);
		try {
			await migrateToLatest(db);
			const { id } = await insertWebhook(db, { ...FIELDS, salt: "00", createdBy: "t", nowMs: 1 });
			const one = { webhookId: id, eventId: undefined, type: "t", body: "{}" };
			const add = async (count: number, finishedAtMs: number) => {
				for (let left = count; left > 0; left -= 500)
					await insertDeliveries(db, Array(Math.min(left, 500)).fill(one), 1);
				const finished = { status: "delivered", finished_at_ms: finishedAtMs } as const;
				await db
					.updateTable("webhook_deliveries")
					.set(finished)
					.where("finished_at_ms", "is", null)
					.execute();
			};
			const left = async () => (await db.selectFrom("webhook_deliveries").select("id").execute()).length;
			await add(2500, 10 * DAY_MS - 1);
			await add(5, 10 * DAY_MS);
			const counts: number[] = [];
			for (let round = 0; round < 3; round++) {
				await worker.poll();
				counts.push(await left());
			}
			expect(counts).toEqual([1505, 505, 5]);
			// Done: looked for again ten minutes later.
			nowMs += 599_999;
			await worker.poll();
			expect(await left()).toBe(5);
			nowMs += 1;
			await worker.poll();
			expect(await left()).toBe(0);
		} finally {
			await worker.close();
			await db.destroy();
		}
	});
});

describe.runIf(databaseKind === "PostgreSQL")("a message that is asked for", () => {
	let db: Records;
	let id: number;
	beforeEach(async () => {
		db = openDatabase(database.url ?? "");
		await migrateToLatest(db);
		id = (await insertWebhook(db, { ...FIELDS, salt: "00", createdBy: "t", nowMs: 1 })).id;
	});
	afterEach(() => db.destroy());
	const deliveries = () => db.selectFrom("webhook_deliveries").selectAll().execute();
	/** How many transactions on this database wait for a lock. */
	async function blockedCount(): Promise<number> {
		const { rows } = await sql<{ count: number }>`select count(*) as count from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'`.execute(db);
		return Number(rows[0]?.count);
	}

	it("does not wait for ever at a webhook that is just being switched off", async () => {
		const [finished] = await insertDeliveries(
			db,
			[{ webhookId: id, eventId: undefined, type: "t", body: "{}" }],
			1,
		);
		const rig = new ServerRig(await createRigApp({ databaseUrl: database.url, every: () => () => {} }));
		const path = `/api/webhooks/${id}`;
		let answeredCount = 0;
		const ask = (url: string) => rig.post(url).finally(() => answeredCount++);
		const { asked } = await db.transaction().execute(async (transaction) => {
			await deactivateWebhook(transaction, id, { reason: "t", nowMs: 2 });
			const urls = [`${path}/test`, `${path}/deliveries/${finished?.id}/redeliver`];
			const asked = Promise.all(urls.map(ask));
			await expect.poll(async () => answeredCount + (await blockedCount())).toBe(2);
			return { asked };
		});
		expect((await asked).map(({ statusCode }) => statusCode)).toEqual([400, 400]);
		expect((await deliveries()).map(({ status }) => status)).toEqual(["dropped"]);
		await rig.close();
	});

	it("once more is not removed with those that were finished as long ago", async () => {
		const [made] = await insertDeliveries(
			db,
			[{ webhookId: id, eventId: undefined, type: "t", body: "{}" }],
			1,
		);
		const claimed = made ?? expect.fail();
		await recordAttempt(db, claimed, {
			outcome: OUTCOME,
			status: "delivered",
			nextTryAtMs: undefined,
			nowMs: 2,
		});
		const { removed } = await db.transaction().execute(async (transaction) => {
			await redeliver(transaction, { webhookId: id, id: claimed.id, nowMs: DAY_MS });
			const removed = removeFinished(db, { beforeMs: DAY_MS, limit: 10 });
			await expect.poll(blockedCount).toBe(1);
			return { removed };
		});
		expect(await removed).toBe(0);
		expect(await deliveries()).toMatchObject([{ status: "waiting" }]);
	});
});

describe.runIf(databaseKind === "PostgreSQL")("two servers with one webhook", () => {
	it("send each event once between them, also those that happen at both at once", async () => {
		const receiver = await WebhookReceiver.start();
		const options = { ...QUICK_WORK, databaseUrl: database.url, arePrivateWebhooksAllowed: true };
		const left = new ServerRig(await createRigApp(options));
		const right = new ServerRig(await createRigApp(options));
		await left.post("/api/webhooks", { url: receiver.url });
		await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? left : right).device(`dev-${i}`)));
		await expect.poll(() => receiver.received.length).toBe(20);
		const ids = receiver.received.map(({ body }) => JSON.parse(body).data.id);
		expect(new Set(ids).size).toBe(20);
		await Promise.all([left.close(), right.close()]);
		expect(receiver.received.length).toBe(20);
		await receiver.close();
	});
});
