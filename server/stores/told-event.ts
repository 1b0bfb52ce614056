// Events as they are told to whoever follows the logs: the streams of live/ and the webhooks.
import type { LogName } from "../domain/event.js";
import type { EventRow } from "./tables.js";

/** An event as it is told: to streams as it is, to webhooks in their envelope. */
export interface ToldEvent {
	readonly id: number;
	readonly log: LogName;
	/** ISO 8601. */
	readonly time: string;
	readonly device_id: string | null;
	readonly type: string;
	readonly details: Readonly<Record<string, unknown>>;
}

export function toldEvent(row: EventRow): ToldEvent {
	return {
		id: row.id,
		log: row.log,
		time: new Date(row.at_ms).toISOString(),
		device_id: row.device_id,
		type: row.type,
		details: JSON.parse(row.details) as Record<string, unknown>,
	};
}
