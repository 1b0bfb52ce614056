// What is to be sent to webhooks, and what became of it. The queue of all servers on one database: an attempt is claimed
// by moving its next try ahead, so that no two send it at the same time; a server that goes away in the middle costs that
// pause, and perhaps a second delivery.
import { randomUUID } from "node:crypto";
import type { AttemptOutcome, DeliveryStatus } from "../domain/webhook.js";
import type { Records, WebhookDeliveryRow } from "./tables.js";

export interface NewDelivery {
	readonly webhookId: number;
	/** Undefined for a test. */
	readonly eventId: number | undefined;
	readonly type: string;
	/** JSON, as it is sent. */
	readonly body: string;
}

export async function insertDeliveries(
	db: Records,
	deliveries: readonly NewDelivery[],
	nowMs: number,
): Promise<WebhookDeliveryRow[]> {
	if (deliveries.length === 0) return [];
	return db
		.insertInto("webhook_deliveries")
		.values(
			deliveries.map((delivery) => ({
				webhook_id: delivery.webhookId,
				message_id: `msg_${randomUUID()}`,
				event_id: delivery.eventId ?? null,
				type: delivery.type,
				body: delivery.body,
				status: "waiting" as const,
				next_try_at_ms: nowMs,
				response_status: null,
				duration_ms: null,
				error: null,
				created_at_ms: nowMs,
				finished_at_ms: null,
			})),
		)
		.returningAll()
		.execute();
}

export async function countWaiting(db: Records, webhookId: number): Promise<number> {
	const { count } = await db
		.selectFrom("webhook_deliveries")
		.select((select) => select.fn.countAll<number>().as("count"))
		.where("webhook_id", "=", webhookId)
		.where("status", "=", "waiting")
		.executeTakeFirstOrThrow();
	return Number(count);
}

export interface Claim {
	readonly webhookId: number;
	readonly limit: number;
	/** When another server may take what is claimed now for lost. */
	readonly leaseUntilMs: number;
	readonly nowMs: number;
}

/**
 * Those that are due, each counted as one more attempt. The conditions stand in the update as well: of two servers that
 * found the same ones, the second waits for the first and then sees that they are not due any more.
 */
export async function claimDue(db: Records, claim: Claim): Promise<WebhookDeliveryRow[]> {
	return db
		.updateTable("webhook_deliveries")
		.set((update) => ({ attempts: update("attempts", "+", 1), next_try_at_ms: claim.leaseUntilMs }))
		.where("id", "in", (from) =>
			from
				.selectFrom("webhook_deliveries")
				.select("id")
				.where("webhook_id", "=", claim.webhookId)
				.where("status", "=", "waiting")
				.where("next_try_at_ms", "<=", claim.nowMs)
				.orderBy("next_try_at_ms")
				.orderBy("id")
				.limit(claim.limit),
		)
		.where("status", "=", "waiting")
		.where("next_try_at_ms", "<=", claim.nowMs)
		.returningAll()
		.execute();
}

/** False when the claim was lost meanwhile: another server has it, or it was dropped. */
export async function recordAttempt(
	db: Records,
	claimed: Pick<WebhookDeliveryRow, "id" | "attempts">,
	result: {
		readonly outcome: AttemptOutcome;
		readonly status: DeliveryStatus;
		/** With status "waiting". */
		readonly nextTryAtMs: number | undefined;
		readonly nowMs: number;
	},
): Promise<boolean> {
	const { outcome, status } = result;
	const updated = await db
		.updateTable("webhook_deliveries")
		.set({
			status,
			next_try_at_ms: result.nextTryAtMs ?? null,
			response_status: outcome.responseStatus ?? null,
			duration_ms: outcome.durationMs,
			error: outcome.error ?? null,
			finished_at_ms: status === "waiting" ? null : result.nowMs,
		})
		.where("id", "=", claimed.id)
		.where("attempts", "=", claimed.attempts)
		.where("status", "=", "waiting")
		.executeTakeFirst();
	return updated.numUpdatedRows === 1n;
}

/** Undefined when the webhook has no such delivery. One that waits is tried at once. */
export async function redeliver(
	db: Records,
	delivery: { readonly webhookId: number; readonly id: number; readonly nowMs: number },
): Promise<WebhookDeliveryRow | undefined> {
	return db
		.updateTable("webhook_deliveries")
		.set({ status: "waiting", attempts: 0, next_try_at_ms: delivery.nowMs, finished_at_ms: null })
		.where("id", "=", delivery.id)
		.where("webhook_id", "=", delivery.webhookId)
		.returningAll()
		.executeTakeFirst();
}

export interface DeliveryQuery {
	readonly webhookId: number;
	readonly status?: DeliveryStatus | undefined;
	/** Only deliveries with a higher id, the oldest first. Without it: the newest ones. */
	readonly after?: number | undefined;
	readonly limit: number;
}

/** In rising order of id. */
export async function listDeliveries(db: Records, options: DeliveryQuery): Promise<WebhookDeliveryRow[]> {
	const { webhookId, status, after, limit } = options;
	let query = db
		.selectFrom("webhook_deliveries")
		.selectAll()
		.where("webhook_id", "=", webhookId)
		.limit(limit);
	if (status !== undefined) query = query.where("status", "=", status);
	if (after !== undefined) return query.where("id", ">", after).orderBy("id").execute();
	return (await query.orderBy("id", "desc").execute()).reverse();
}

/** Takes finished ones out of the log, a bounded number; returns how many. */
export async function removeFinished(
	db: Records,
	{ beforeMs, limit }: { readonly beforeMs: number; readonly limit: number },
): Promise<number> {
	const result = await db
		.deleteFrom("webhook_deliveries")
		.where("id", "in", (from) =>
			from.selectFrom("webhook_deliveries").select("id").where("finished_at_ms", "<", beforeMs).limit(limit),
		)
		// Once more: one that is sent again at this moment is not finished any more.
		.where("finished_at_ms", "<", beforeMs)
		.executeTakeFirst();
	return Number(result.numDeletedRows);
}
