// Webhooks. Called by routes/webhook-routes.ts and the delivery worker; what is to be sent is delivery-store.ts.
import type { EventFilter } from "../domain/webhook.js";
import { kindOf } from "./database.js";
import { newestEventId } from "./event-store.js";
import type { Records, WebhookRow } from "./tables.js";

export interface WebhookFields extends EventFilter {
	readonly url: string;
	readonly description: string | null;
}

/** From the next event on. */
export async function insertWebhook(
	db: Records,
	webhook: WebhookFields & { readonly salt: string; readonly createdBy: string; readonly nowMs: number },
): Promise<WebhookRow> {
	return db
		.insertInto("webhooks")
		.values({
			...columnsOf(webhook),
			salt: webhook.salt,
			previous_salt: null,
			previous_until_ms: null,
			is_active: 1,
			last_event_id: await newestEventId(db),
			failing_since_ms: null,
			deactivated_reason: null,
			created_by: webhook.createdBy,
			created_at_ms: webhook.nowMs,
			updated_at_ms: webhook.nowMs,
		})
		.returningAll()
		.executeTakeFirstOrThrow();
}

export function filterOf(row: WebhookRow): EventFilter {
	return {
		log: row.log,
		types: row.types === null ? null : (JSON.parse(row.types) as string[]),
		deviceId: row.device_id,
	};
}

function columnsOf({ url, description, log, types, deviceId }: WebhookFields) {
	return {
		url,
		description,
		log,
		types: types === null ? null : JSON.stringify(types),
		device_id: deviceId,
	};
}

export async function findWebhook(db: Records, id: number): Promise<WebhookRow | undefined> {
	return db.selectFrom("webhooks").selectAll().where("id", "=", id).executeTakeFirst();
}

/** Within a transaction: what is read still holds when it writes. */
export async function lockWebhook(transaction: Records, id: number): Promise<WebhookRow | undefined> {
	const query = transaction.selectFrom("webhooks").selectAll().where("id", "=", id);
	// On SQLite there is one transaction at a time.
	return (kindOf(transaction) === "sqlite" ? query : query.forUpdate()).executeTakeFirst();
}

/** All of them: their number is bounded. */
export async function listWebhooks(db: Records): Promise<WebhookRow[]> {
	return db.selectFrom("webhooks").selectAll().orderBy("id").execute();
}

export async function listActiveWebhooks(db: Records): Promise<WebhookRow[]> {
	return db.selectFrom("webhooks").selectAll().where("is_active", "=", 1).orderBy("id").execute();
}

/** Undefined when there is none. */
export async function updateWebhook(
	db: Records,
	id: number,
	change: { readonly fields: WebhookFields; readonly nowMs: number },
): Promise<WebhookRow | undefined> {
	return db
		.updateTable("webhooks")
		.set({ ...columnsOf(change.fields), updated_at_ms: change.nowMs })
		.where("id", "=", id)
		.returningAll()
		.executeTakeFirst();
}

/** What happened while it was off is not sent. */
export async function activateWebhook(db: Records, id: number, nowMs: number): Promise<void> {
	await db
		.updateTable("webhooks")
		.set({
			is_active: 1,
			last_event_id: await newestEventId(db),
			failing_since_ms: null,
			deactivated_reason: null,
			updated_at_ms: nowMs,
		})
		.where("id", "=", id)
		.where("is_active", "=", 0)
		.execute();
}

/** False if it was off already. What waits is dropped; it can be sent again by hand. */
export async function deactivateWebhook(
	db: Records,
	id: number,
	change: { readonly reason: string; readonly nowMs: number },
): Promise<boolean> {
	const { reason, nowMs } = change;
	const result = await db
		.updateTable("webhooks")
		.set({ is_active: 0, deactivated_reason: reason, updated_at_ms: nowMs })
		.where("id", "=", id)
		.where("is_active", "=", 1)
		.executeTakeFirst();
	if (result.numUpdatedRows !== 1n) return false;
	await db
		.updateTable("webhook_deliveries")
		.set({ status: "dropped", next_try_at_ms: null, finished_at_ms: nowMs, error: "webhook switched off" })
		.where("webhook_id", "=", id)
		.where("status", "=", "waiting")
		.execute();
	return true;
}

export async function replaceSalt(
	db: Records,
	webhook: WebhookRow,
	change: { readonly salt: string; readonly previousUntilMs: number; readonly nowMs: number },
): Promise<void> {
	await db
		.updateTable("webhooks")
		.set({
			salt: change.salt,
			previous_salt: webhook.salt,
			previous_until_ms: change.previousUntilMs,
			updated_at_ms: change.nowMs,
		})
		.where("id", "=", webhook.id)
		.execute();
}

/** With its deliveries; within a transaction. False when there is none. */
export async function deleteWebhook(db: Records, id: number): Promise<boolean> {
	// Before its deliveries, in the order of those who switch it off.
	await lockWebhook(db, id);
	await db.deleteFrom("webhook_deliveries").where("webhook_id", "=", id).execute();
	const result = await db.deleteFrom("webhooks").where("id", "=", id).executeTakeFirst();
	return result.numDeletedRows === 1n;
}

/** Since when it only fails: set at the first failure, cleared by a success. Returns it. */
export async function noteFailure(db: Records, id: number, nowMs: number): Promise<number> {
	await db
		.updateTable("webhooks")
		.set({ failing_since_ms: nowMs })
		.where("id", "=", id)
		.where("failing_since_ms", "is", null)
		.execute();
	const row = await db
		.selectFrom("webhooks")
		.select("failing_since_ms")
		.where("id", "=", id)
		.executeTakeFirst();
	return row?.failing_since_ms ?? nowMs;
}

export async function forgetFailures(db: Records, id: number): Promise<void> {
	await db
		.updateTable("webhooks")
		.set({ failing_since_ms: null })
		.where("id", "=", id)
		.where("failing_since_ms", "is not", null)
		.execute();
}
