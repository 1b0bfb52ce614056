// Turns events into deliveries: reads the log behind the last event that each webhook has. Called by the delivery worker
// of every server; whoever moves a webhook's cursor on has queued what lies before it, so each event is queued once.
import { isWanted } from "../domain/webhook.js";
import { countWaiting, insertDeliveries, type NewDelivery } from "./delivery-store.js";
import { listEventsAfter } from "./event-store.js";
import type { EventRow, Records, WebhookRow } from "./tables.js";
import { toldEvent } from "./told-event.js";
import { filterOf, lockWebhook } from "./webhook-store.js";

const EVENTS_MAX = 500;
/** A webhook that falls behind further than this waits with new events: the log keeps them. */
export const WAITING_MAX = 10_000;

export async function queueDeliveries(db: Records, webhook: WebhookRow, nowMs: number): Promise<void> {
	const events = await listEventsAfter(db, webhook.last_event_id, EVENTS_MAX);
	const last = events.at(-1);
	if (last === undefined) return;
	await db.transaction().execute(async (transaction) => {
		// As it is now: an event behind an acknowledged change of the filter is judged by that.
		const current = await lockWebhook(transaction, webhook.id);
		if (current === undefined || current.is_active !== 1) return;
		// Another server was first.
		if (current.last_event_id !== webhook.last_event_id) return;
		const filter = filterOf(current);
		const wanted = events.filter((event) => isWanted(filter, event));
		if (wanted.length > 0 && (await countWaiting(transaction, webhook.id)) >= WAITING_MAX) return;
		await transaction
			.updateTable("webhooks")
			.set({ last_event_id: last.id })
			.where("id", "=", webhook.id)
			.execute();
		await insertDeliveries(
			transaction,
			wanted.map((event) => deliveryOf(webhook, event)),
			nowMs,
		);
	});
}

function deliveryOf(webhook: WebhookRow, event: EventRow): NewDelivery {
	const { type, time, ...data } = toldEvent(event);
	const body = JSON.stringify({ type, timestamp: time, data });
	return { webhookId: webhook.id, eventId: event.id, type, body };
}
