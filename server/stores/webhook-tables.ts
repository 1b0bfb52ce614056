// The tables of migrations/0005-webhooks.ts as Kysely sees them; part of tables.ts.
import type { Generated } from "kysely";
import type { LogName } from "../domain/event.js";
import type { DeliveryStatus } from "../domain/webhook.js";

export interface WebhookTable {
	id: Generated<number>;
	url: string;
	description: string | null;
	/** Null: both logs. */
	log: LogName | null;
	/** JSON array of event types; null: all but the steps of downloads. */
	types: string | null;
	device_id: string | null;
	/** Hex; with the master key it gives the secret, which is kept nowhere. */
	salt: string;
	/** Of the secret that was replaced and still signs, until previous_until_ms. */
	previous_salt: string | null;
	previous_until_ms: number | null;
	is_active: number;
	/** Events up to this one are queued. */
	last_event_id: number;
	/** Of the first failure since the last success. */
	failing_since_ms: number | null;
	deactivated_reason: string | null;
	created_by: string;
	created_at_ms: number;
	updated_at_ms: number;
}

/** One event for one webhook, with its last attempt. */
export interface WebhookDeliveryTable {
	id: Generated<number>;
	webhook_id: number;
	/** The same at each attempt. */
	message_id: string;
	/** Null for a test. */
	event_id: number | null;
	type: string;
	/** JSON, as it is sent. */
	body: string;
	status: DeliveryStatus;
	attempts: Generated<number>;
	/** While an attempt is under way: when another server may take it for lost. Null once finished. */
	next_try_at_ms: number | null;
	response_status: number | null;
	duration_ms: number | null;
	error: string | null;
	created_at_ms: number;
	finished_at_ms: number | null;
}

/** One row that readiness writes, to know that it can. */
export interface ReadinessTable {
	id: number;
	checked_at_ms: number;
}
