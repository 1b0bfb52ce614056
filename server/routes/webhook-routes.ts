// Webhooks, for an admin: made, changed, taken away, their secret replaced. What was sent is webhook-delivery-routes.ts.
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { audit } from "../auth/audit.js";
import { operatorOf } from "../auth/operator.js";
import { newSalt, webhookSecret } from "../auth/webhook-secret.js";
import { SECRET_OVERLAP_MS } from "../domain/webhook.js";
import type { Server, Services } from "../services.js";
import { takeLock } from "../stores/locks.js";
import type { Records, WebhookRow } from "../stores/tables.js";
import {
	activateWebhook,
	deactivateWebhook,
	deleteWebhook,
	filterOf,
	findWebhook,
	forgetFailures,
	insertWebhook,
	listWebhooks,
	lockWebhook,
	replaceSalt,
	updateWebhook,
	type WebhookFields,
} from "../stores/webhook-store.js";
import { parseTarget } from "../webhooks/target-guard.js";
import { describe } from "./operation.js";
import {
	SecretAnswer,
	WebhookAnswer,
	WebhookBody,
	WebhookChange,
	WebhookPath,
	webhookAnswer,
} from "./webhook-schemas.js";

/** All are looked at once a second. */
const WEBHOOKS_MAX = 20;

const LIST = describe({
	tag: "Webhooks",
	summary: "All webhooks",
	answers: { 200: Type.Object({ webhooks: Type.Array(WebhookAnswer) }) },
});
const CREATE = describe({
	tag: "Webhooks",
	summary: "Make a webhook; it gets the events from now on",
	body: WebhookBody,
	answers: { 201: SecretAnswer },
});
const GET = describe({
	tag: "Webhooks",
	summary: "One webhook",
	params: WebhookPath,
	answers: { 200: WebhookAnswer },
	errors: ["not-found"],
});
const CHANGE = describe({
	tag: "Webhooks",
	summary: "Change a webhook, switch it off or on again",
	description:
		"Switched off, what waits to be sent is dropped; switched on, it gets the events from then on.",
	params: WebhookPath,
	body: WebhookChange,
	answers: { 200: WebhookAnswer },
	errors: ["not-found"],
});
const ROTATE = describe({
	tag: "Webhooks",
	summary: "Give a webhook another secret; the old one goes on signing beside it for a day",
	params: WebhookPath,
	answers: { 200: SecretAnswer },
	errors: ["not-found"],
});
const DELETE = describe({
	tag: "Webhooks",
	summary: "Take a webhook away, with its deliveries",
	params: WebhookPath,
	answers: { 204: null },
	errors: ["not-found"],
});

export function registerWebhookRoutes(server: Server, services: Services): void {
	const config = { role: "admin" } as const;
	server.get("/api/webhooks", { config, schema: LIST }, async () => ({
		webhooks: (await listWebhooks(services.db)).map(webhookAnswer),
	}));
	server.post("/api/webhooks", { config, schema: CREATE }, async (request, reply) => {
		const row = await createWebhook(services, request, request.body);
		reply.header("cache-control", "no-store");
		return reply.code(201).send(withSecret(services, row));
	});
	server.get("/api/webhooks/:id", { config, schema: GET }, async (request) =>
		webhookAnswer(await knownWebhook(services.db, request.params.id)),
	);
	server.patch("/api/webhooks/:id", { config, schema: CHANGE }, async (request) =>
		webhookAnswer(await changeWebhook(services, request, request.params.id, request.body)),
	);
	server.post("/api/webhooks/:id/rotate-secret", { config, schema: ROTATE }, async (request, reply) => {
		const row = await rotateSecret(services, request, request.params.id);
		reply.header("cache-control", "no-store");
		return withSecret(services, row);
	});
	server.delete("/api/webhooks/:id", { config, schema: DELETE }, async (request, reply) => {
		const { id } = request.params;
		const nowMs = services.nowMs();
		await services.db.transaction().execute(async (transaction) => {
			if (!(await deleteWebhook(transaction, id))) throw new FotaError("not-found", "no such webhook");
			await audit(transaction, request, { action: "webhook.delete", target: `webhook:${id}`, nowMs });
		});
		return reply.code(204).send();
	});
}

export async function knownWebhook(db: Records, id: number): Promise<WebhookRow> {
	return known(await findWebhook(db, id));
}

function known(row: WebhookRow | undefined): WebhookRow {
	if (row === undefined) throw new FotaError("not-found", "no such webhook");
	return row;
}

function withSecret({ masterKey }: Services, row: WebhookRow): Static<typeof SecretAnswer> {
	return { ...webhookAnswer(row), secret: webhookSecret(masterKey, row.salt) };
}

async function createWebhook(services: Services, request: FastifyRequest, body: Static<typeof WebhookBody>) {
	const fields = fieldsOf(services, body, {
		url: body.url,
		description: null,
		log: null,
		types: null,
		deviceId: null,
	});
	const nowMs = services.nowMs();
	return services.db.transaction().execute(async (transaction) => {
		// Two that are made at once would each count without the other.
		await takeLock(transaction, "webhooks");
		if ((await listWebhooks(transaction)).length >= WEBHOOKS_MAX)
			throw new FotaError(
				"request-malformed",
				`there are ${WEBHOOKS_MAX} webhooks, which is all there may be`,
			);
		const createdBy = operatorOf(request).actor;
		const row = await insertWebhook(transaction, { ...fields, salt: newSalt(), createdBy, nowMs });
		await note(transaction, request, { action: "webhook.create", row, nowMs });
		return row;
	});
}

async function changeWebhook(
	services: Services,
	request: FastifyRequest,
	id: number,
	body: Static<typeof WebhookChange>,
): Promise<WebhookRow> {
	const nowMs = services.nowMs();
	return services.db.transaction().execute(async (transaction) => {
		const before = known(await lockWebhook(transaction, id));
		const fields = fieldsOf(services, body, { ...before, ...filterOf(before) });
		await updateWebhook(transaction, id, { fields, nowMs });
		// They were the target's before.
		if (fields.url !== before.url) await forgetFailures(transaction, id);
		if (body.is_active === true) await activateWebhook(transaction, id, nowMs);
		if (body.is_active === false)
			await deactivateWebhook(transaction, id, { reason: "switched off by an admin", nowMs });
		const row = await knownWebhook(transaction, id);
		await note(transaction, request, { action: "webhook.change", row, nowMs });
		return row;
	});
}

/** `body` over what was there before. */
function fieldsOf(
	services: Services,
	body: Static<typeof WebhookChange>,
	before: WebhookFields,
): WebhookFields {
	const { url = before.url, description = before.description, log = before.log } = body;
	const { types = before.types, device_id: deviceId = before.deviceId } = body;
	parseTarget(url, services.arePrivateWebhooksAllowed);
	return { url, description, log, types, deviceId };
}

async function rotateSecret(services: Services, request: FastifyRequest, id: number): Promise<WebhookRow> {
	const nowMs = services.nowMs();
	return services.db.transaction().execute(async (transaction) => {
		const before = known(await lockWebhook(transaction, id));
		const previousUntilMs = nowMs + SECRET_OVERLAP_MS;
		await replaceSalt(transaction, before, { salt: newSalt(), previousUntilMs, nowMs });
		const row = await knownWebhook(transaction, id);
		await note(transaction, request, { action: "webhook.rotate-secret", row, nowMs });
		return row;
	});
}

async function note(
	transaction: Records,
	request: FastifyRequest,
	done: { readonly action: string; readonly row: WebhookRow; readonly nowMs: number },
): Promise<void> {
	const { action, row, nowMs } = done;
	// The host alone: a path may be a secret of the receiver's.
	const details = { host: new URL(row.url).host, is_active: row.is_active === 1 };
	await audit(transaction, request, { action, target: `webhook:${row.id}`, details, nowMs });
}
