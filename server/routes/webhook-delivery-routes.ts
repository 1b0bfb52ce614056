// What was sent to a webhook and what is to be sent, for an admin; a test message, and one more try.
import { Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { audit } from "../auth/audit.js";
import type { Server, Services } from "../services.js";
import { insertDeliveries, listDeliveries, redeliver } from "../stores/delivery-store.js";
import type { Records } from "../stores/tables.js";
import { lockWebhook } from "../stores/webhook-store.js";
import { describe } from "./operation.js";
import { knownWebhook } from "./webhook-routes.js";
import {
	DeliveryAnswer,
	DeliveryPath,
	DeliveryQuery,
	deliveryAnswer,
	WebhookPath,
} from "./webhook-schemas.js";

const LIST = describe({
	tag: "Webhooks",
	summary: "Deliveries of a webhook, the newest ones unless `after` is given; kept for 30 days",
	params: WebhookPath,
	querystring: DeliveryQuery,
	answers: { 200: Type.Object({ deliveries: Type.Array(DeliveryAnswer), next_after: Type.Integer() }) },
	errors: ["not-found"],
});
const TEST = describe({
	tag: "Webhooks",
	summary: "Send a message of type webhook_test",
	params: WebhookPath,
	answers: { 202: DeliveryAnswer },
	errors: ["not-found"],
});
const REDELIVER = describe({
	tag: "Webhooks",
	summary: "Send a message again, from the first attempt on",
	params: DeliveryPath,
	answers: { 202: DeliveryAnswer },
	errors: ["not-found"],
});

export function registerWebhookDeliveryRoutes(server: Server, services: Services): void {
	const { db } = services;
	const config = { role: "admin" } as const;
	server.get("/api/webhooks/:id/deliveries", { config, schema: LIST }, async (request) => {
		const { status, after, limit = 100 } = request.query;
		const { id: webhookId } = await knownWebhook(db, request.params.id);
		const rows = await listDeliveries(db, { webhookId, status, after, limit });
		return { deliveries: rows.map(deliveryAnswer), next_after: rows.at(-1)?.id ?? after ?? 0 };
	});
	server.post("/api/webhooks/:id/test", { config, schema: TEST }, async (request, reply) => {
		const nowMs = services.nowMs();
		const { id } = request.params;
		const delivery = await db.transaction().execute(async (transaction) => {
			await activeWebhook(transaction, id);
			const body = JSON.stringify({
				type: "webhook_test",
				timestamp: new Date(nowMs).toISOString(),
				data: { webhook_id: id },
			});
			const test = { webhookId: id, eventId: undefined, type: "webhook_test", body };
			const [row] = await insertDeliveries(transaction, [test], nowMs);
			await audit(transaction, request, { action: "webhook.test", target: `webhook:${id}`, nowMs });
			return row;
		});
		return reply.code(202).send(delivery && deliveryAnswer(delivery));
	});
	server.post(
		"/api/webhooks/:id/deliveries/:delivery_id/redeliver",
		{ config, schema: REDELIVER },
		async (request, reply) => {
			const nowMs = services.nowMs();
			const { id: webhookId, delivery_id: id } = request.params;
			const delivery = await db.transaction().execute(async (transaction) => {
				await activeWebhook(transaction, webhookId);
				const row = await redeliver(transaction, { webhookId, id, nowMs });
				if (row === undefined) throw new FotaError("not-found", "no such delivery");
				const done = { action: "webhook.redeliver", target: `webhook:${webhookId}` };
				await audit(transaction, request, { ...done, details: { delivery_id: id }, nowMs });
				return row;
			});
			return reply.code(202).send(deliveryAnswer(delivery));
		},
	);
}

/** Until the end of the transaction. */
async function activeWebhook(transaction: Records, id: number): Promise<void> {
	const row = await lockWebhook(transaction, id);
	if (row === undefined) throw new FotaError("not-found", "no such webhook");
	if (row.is_active !== 1) throw new FotaError("request-malformed", "the webhook is switched off");
}
