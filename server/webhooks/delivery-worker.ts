// Sends what is to be sent to webhooks: queues events, claims what is due, sends, records. One in every server; the
// queue is the database, so they share the work. Made by app.ts. Delivery is at least once, in no order.
import type { FastifyBaseLogger } from "fastify";
import { announce } from "../announce.js";
import { webhookSignature } from "../auth/webhook-secret.js";
import type { LogEvent } from "../domain/event.js";
import { type AttemptOutcome, deactivationReason, nextTryMs } from "../domain/webhook.js";
import { appendAudit } from "../stores/audit-store.js";
import { claimDue, recordAttempt, removeFinished } from "../stores/delivery-store.js";
import { appendEvents } from "../stores/event-store.js";
import { queueDeliveries } from "../stores/queue-deliveries.js";
import type { Records, WebhookDeliveryRow, WebhookRow } from "../stores/tables.js";
import {
	deactivateWebhook,
	findWebhook,
	forgetFailures,
	listActiveWebhooks,
	lockWebhook,
	noteFailure,
} from "../stores/webhook-store.js";
import { type SendOptions, sendWebhook } from "./send-webhook.js";

export interface DeliveryWorkerOptions {
	readonly db: Records;
	readonly masterKey: Uint8Array;
	readonly log: FastifyBaseLogger;
	/** Unix time in milliseconds. */
	readonly nowMs: () => number;
	/** From 0 to 1. Default: Math.random. */
	readonly random?: (() => number) | undefined;
	readonly send: SendOptions;
}

export interface DeliveryWorker {
	/** One round; to be called every second. Never throws. */
	poll(): Promise<void>;
	/** Attempts under way in this process. */
	readonly sendingCount: () => number;
	/** Claims nothing more and waits for the attempts under way. Idempotent. */
	close(): Promise<void>;
}

/** How often poll() is to be called, in milliseconds. */
export const DELIVERY_POLL_MS = 1000;
/** A slow receiver must not hold up the others. */
const PER_WEBHOOK_MAX = 2;
const TOTAL_MAX = 16;
/** Well above the time-out of an attempt. */
const LEASE_MS = 45_000;
const KEEP_FINISHED_MS = 30 * 86_400_000;
const REMOVE_EVERY_MS = 600_000;
const REMOVE_BATCH = 1000;

export function createDeliveryWorker(options: DeliveryWorkerOptions): DeliveryWorker {
	const sending = new Map<Promise<void>, number>();
	let isClosed = false;
	let round: Promise<void> | undefined;
	let removedAtMs = Number.NEGATIVE_INFINITY;

	const freeFor = (webhookId: number) => {
		const busy = [...sending.values()];
		const ofThis = busy.filter((id) => id === webhookId).length;
		return Math.min(PER_WEBHOOK_MAX - ofThis, TOTAL_MAX - busy.length);
	};
	const launch = (webhook: WebhookRow, delivery: WebhookDeliveryRow) => {
		const attempt = attemptDelivery(options, webhook, delivery).finally(() => {
			sending.delete(attempt);
			void poll();
		});
		sending.set(attempt, webhook.id);
	};
	const serve = async (webhook: WebhookRow) => {
		const nowMs = options.nowMs();
		await queueDeliveries(options.db, webhook, nowMs);
		const limit = freeFor(webhook.id);
		if (limit <= 0 || isClosed) return;
		const lease = { leaseUntilMs: nowMs + LEASE_MS, nowMs };
		const claimed = await claimDue(options.db, { webhookId: webhook.id, limit, ...lease });
		if (claimed.length === 0) return;
		// As it is now: what was asked for behind a new secret or target is signed and sent as that says. One that is gone
		// has no deliveries either; of one that was switched off they are dropped.
		const current = await findWebhook(options.db, webhook.id);
		if (current?.is_active !== 1) return;
		for (const delivery of claimed) launch(current, delivery);
	};
	const clean = async () => {
		const nowMs = options.nowMs();
		if (Math.abs(nowMs - removedAtMs) < REMOVE_EVERY_MS) return;
		const removal = { beforeMs: nowMs - KEEP_FINISHED_MS, limit: REMOVE_BATCH };
		// A step a round, so that no delivery waits for the removal: where there is more, the next round goes on.
		if ((await removeFinished(options.db, removal)) < REMOVE_BATCH) removedAtMs = nowMs;
	};
	const serveAll = async () => {
		for (const webhook of await listActiveWebhooks(options.db)) await serve(webhook);
		await clean();
	};
	const poll = async () => {
		if (isClosed) return;
		round ??= serveAll()
			// The database is away: the next round finds what this one left.
			.catch((error) => options.log.debug({ err: error }, "webhooks not served"))
			.finally(() => {
				round = undefined;
			});
		await round;
	};
	return {
		poll,
		sendingCount: () => sending.size,
		async close() {
			isClosed = true;
			await round;
			await Promise.all(sending.keys());
		},
	};
}

/** Never throws. */
async function attemptDelivery(
	options: DeliveryWorkerOptions,
	webhook: WebhookRow,
	delivery: WebhookDeliveryRow,
): Promise<void> {
	const sentAtMs = options.nowMs();
	const { message_id: id, body } = delivery;
	const message = { id, body, timestampSeconds: Math.floor(sentAtMs / 1000) };
	const signature = webhookSignature(options.masterKey, saltsOf(webhook, sentAtMs), message);
	const outcome = await sendWebhook({ ...message, url: webhook.url, signature }, options.send);
	try {
		await record(options, { webhook, delivery, outcome });
	} catch (error) {
		// Its lease runs out and it is sent again: at least once.
		options.log.warn({ err: error, webhook: webhook.id }, "webhook delivery not recorded");
	}
}

function saltsOf(webhook: WebhookRow, nowMs: number): string[] {
	const { salt, previous_salt: previous, previous_until_ms: untilMs } = webhook;
	return previous !== null && (untilMs ?? 0) > nowMs ? [salt, previous] : [salt];
}

interface Attempt {
	readonly webhook: WebhookRow;
	readonly delivery: WebhookDeliveryRow;
	readonly outcome: AttemptOutcome;
}

async function record(options: DeliveryWorkerOptions, attempt: Attempt): Promise<void> {
	const { webhook, delivery, outcome } = attempt;
	const { db, log } = options;
	const nowMs = options.nowMs();
	if (outcome.error === undefined) {
		const done = { outcome, status: "delivered" as const, nextTryAtMs: undefined, nowMs };
		await recordAttempt(db, delivery, done);
		return forgetFailures(db, webhook.id);
	}
	log.debug({ webhook: webhook.id, delivery: delivery.id, error: outcome.error }, "webhook delivery failed");
	const nextTryAtMs = nextTryMs(delivery.attempts, nowMs, (options.random ?? Math.random)());
	const status = nextTryAtMs === undefined ? "failed" : "waiting";
	if (!(await recordAttempt(db, delivery, { outcome, status, nextTryAtMs, nowMs }))) return;
	const events = await db.transaction().execute(async (transaction) => {
		const current = await lockWebhook(transaction, webhook.id);
		// What the target before says is nothing against the one that an admin has given it since.
		if (current?.url !== webhook.url) return [];
		const failingSinceMs = await noteFailure(transaction, webhook.id, nowMs);
		const reason = deactivationReason(outcome, failingSinceMs, nowMs);
		return reason === undefined ? [] : switchOff(transaction, webhook.id, { reason, nowMs });
	});
	announce(log, events);
}

/** Returns the event of it; none where it is off already. */
async function switchOff(
	transaction: Records,
	webhookId: number,
	{ reason, nowMs }: { readonly reason: string; readonly nowMs: number },
): Promise<LogEvent[]> {
	if (!(await deactivateWebhook(transaction, webhookId, { reason, nowMs }))) return [];
	const details = { webhook_id: webhookId, reason };
	const event: LogEvent = { log: "fota", type: "webhook_deactivated", details };
	await appendEvents(transaction, [event], nowMs);
	const done = { actor: "server", action: "webhook.deactivate", target: `webhook:${webhookId}` };
	await appendAudit(transaction, { ...done, details: { reason }, nowMs });
	return [event];
}
