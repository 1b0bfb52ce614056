// Turns events into deliveries: reads the log behind the last event that each webhook has. Called by the delivery worker
// of every server; whoever moves a webhook's cursor on has queued what lies before it, so each event is queued once.
import { isWanted } from "../domain/webhook.js";
import { countWaiting, insertDeliveries, type NewDelivery } from "./delivery-store.js";
import { listEventsAfter } from "./event-store.js";
import type { EventRow, Records, WebhookRow } from "./tables.js";
import { toldEvent } from "./told-event.js";
import { filterOf } from "./webhook-store.js";

const EVENTS_MAX = 500;
/** A webhook that falls behind further than this waits with new events: the log keeps them. */
export const WAITING_MAX = 10_000;

export async function queueDeliveries(db: Records, webhook: WebhookRow, nowMs: number): Promise<void> {
	const events = await listEventsAfter(db, webhook.last_event_id, EVENTS_MAX);
	const last = events.at(-1);
	if (last === undefined) return;
	const filter = filterOf(webhook);
	const wanted = events.filter((event) => isWanted(filter, event));
	if (wanted.length > 0 && (await countWaiting(db, webhook.id)) >= WAITING_MAX) return;
	await db.transaction().execute(async (transaction) => {
		const moved = await transaction
			.updateTable("webhooks")
			.set({ last_event_id: last.id })
			.where("id", "=", webhook.id)
			.where("is_active", "=", 1)
			.where("last_event_id", "=", webhook.last_event_id)
			.executeTakeFirst();
		// Another server was first.
		if (moved.numUpdatedRows !== 1n) return;
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
