// Webhooks that are changed while deliveries to them are under way: what was read before the change decides nothing.
import { pino } from "pino";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { webhookSecret } from "../../server/auth/webhook-secret.js";
import { insertDeliveries } from "../../server/stores/delivery-store.js";
import { appendEvents } from "../../server/stores/event-store.js";
import type { Records } from "../../server/stores/tables.js";
import {
	deactivateWebhook,
	deleteWebhook,
	findWebhook,
	insertWebhook,
	replaceSalt,
	updateWebhook,
	type WebhookFields,
} from "../../server/stores/webhook-store.js";
import { createDeliveryWorker } from "../../server/webhooks/delivery-worker.js";
import { changeBehind } from "./stores/change-behind.js";
import { openTestDatabase } from "./test-database.js";
import { type Received, WebhookReceiver } from "./webhook-receiver.js";

const DAY_MS = 86_400_000;
const FIELDS = { url: "https://a.example/", description: null, log: null, types: null, deviceId: null };

describe("a webhook that is changed when a round has just read it", () => {
	const masterKey = Buffer.alloc(32);
	let db: Records;
	let receiver: WebhookReceiver;
	let close: () => Promise<void>;
	beforeEach(async () => {
		({ db, close } = await openTestDatabase());
		receiver = await WebhookReceiver.start();
	});
	afterEach(async () => {
		await receiver.close();
		await close();
	});

	/** One round of a worker whose list of webhooks is older than `change`. */
	async function roundBefore(change: (transaction: Records) => Promise<unknown>): Promise<void> {
		const listing = changeBehind(
			db,
			(row) => "last_event_id" in row,
			() => db.transaction().execute(change),
		);
		const worker = createDeliveryWorker({
			db: listing.db,
			masterKey,
			log: pino({ level: "silent" }),
			// The library refuses messages that are older than five minutes.
			nowMs: Date.now,
			send: { isPrivateAllowed: true },
		});
		await worker.poll();
		await worker.close();
		await listing.end();
	}
	const create = (fields: Partial<WebhookFields>) =>
		insertWebhook(db, { ...FIELDS, url: receiver.url, ...fields, salt: "00", createdBy: "t", nowMs: 1 });
	const sendTest = (webhookId: number, records = db) =>
		insertDeliveries(records, [{ webhookId, eventId: undefined, type: "t", body: "{}" }], 1);

	it("signs with the secrets it has now", async () => {
		const webhook = await create({});
		await roundBefore(async (transaction) => {
			await replaceSalt(transaction, webhook, { salt: "01", previousUntilMs: Date.now() + DAY_MS, nowMs: 2 });
			await sendTest(webhook.id, transaction);
		});
		const [{ body, headers }] = receiver.received as [Received];
		for (const salt of ["00", "01"])
			new Webhook(webhookSecret(masterKey, salt)).verify(body, headers as Record<string, string>);
	});

	it("is sent to where it points now", async () => {
		const { id } = await create({ url: `${receiver.url}/old` });
		await roundBefore(async (transaction) => {
			await updateWebhook(transaction, id, { fields: { ...FIELDS, url: `${receiver.url}/new` }, nowMs: 2 });
			await sendTest(id, transaction);
		});
		expect(receiver.received.map(({ path }) => path)).toEqual(["/hook/new"]);
	});

	it("gets the events that it asks for now", async () => {
		const { id } = await create({ types: ["login_failed"] });
		await roundBefore(async (transaction) => {
			await updateWebhook(transaction, id, { fields: { ...FIELDS, url: receiver.url }, nowMs: 2 });
			await appendEvents(transaction, [{ log: "fota", type: "device_registered", details: {} }], 3);
		});
		expect(receiver.types).toEqual(["device_registered"]);
	});

	it("gets nothing when it was switched off or removed", async () => {
		const off = await create({});
		const gone = await create({});
		await sendTest(off.id);
		await sendTest(gone.id);
		await roundBefore(async (transaction) => {
			await deactivateWebhook(transaction, off.id, { reason: "t", nowMs: 2 });
			await deleteWebhook(transaction, gone.id);
			await appendEvents(transaction, [{ log: "fota", type: "device_registered", details: {} }], 3);
		});
		expect(receiver.received).toEqual([]);
	});
});

describe("a webhook whose target is changed while an attempt at the one before is under way", () => {
	it("is not switched off by what the one before answers", async () => {
		const { db, close } = await openTestDatabase();
		const receiver = await WebhookReceiver.start();
		receiver.status = 410;
		const url = `http://old.example:${receiver.port}/hook`;
		const { id } = await insertWebhook(db, { ...FIELDS, url, salt: "00", createdBy: "t", nowMs: 1 });
		await insertDeliveries(db, [{ webhookId: id, eventId: undefined, type: "t", body: "{}" }], 1);
		const worker = createDeliveryWorker({
			db,
			masterKey: Buffer.alloc(32),
			log: pino({ level: "silent" }),
			nowMs: () => 2,
			send: {
				isPrivateAllowed: true,
				resolve(_name, _options, found) {
					const change = { fields: { ...FIELDS, url: receiver.url }, nowMs: 2 };
					void updateWebhook(db, id, change).then(() => found(null, [{ address: "127.0.0.1", family: 4 }]));
				},
			},
		});
		await worker.poll();
		await worker.close();
		expect(receiver.received).toHaveLength(1);
		const still = { is_active: 1, deactivated_reason: null, failing_since_ms: null };
		expect(await findWebhook(db, id)).toMatchObject(still);
		const [delivery] = await db.selectFrom("webhook_deliveries").selectAll().execute();
		expect(delivery).toMatchObject({ status: "waiting", response_status: 410 });
		await receiver.close();
		await close();
	});
});
