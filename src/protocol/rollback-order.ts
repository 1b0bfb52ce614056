// The operator's order to go back to the other slot, as the device polls it (docs/protocol.md §8).
import { parseJsonObject, plainText } from "./json.js";
import { ANSWER_MAX_BYTES, COUNTER_MAX, REASON_MAX_CHARS } from "./limits.js";

export const ROLLBACK_STATUS_PATH = "/api/inverter/fota/rollback-status";

export interface RollbackOrder {
	/** Rises with each order to this device; one that was carried out is never carried out again. */
	readonly orderId: number;
	readonly reason: string;
}

export function encodeRollbackStatus(order: RollbackOrder | undefined): string {
	return JSON.stringify(
		order
			? {
					rollback: true,
					order_id: order.orderId,
					reason: plainText(order.reason, REASON_MAX_CHARS) ?? "no reason given",
				}
			: { rollback: false },
	);
}

/** Throws `answer-malformed`; undefined when there is no order. */
export function parseRollbackStatus(bytes: Uint8Array): RollbackOrder | undefined {
	const fields = parseJsonObject(bytes, { maxBytes: ANSWER_MAX_BYTES, code: "answer-malformed" });
	if (!fields.boolean("rollback")) return undefined;
	return {
		orderId: fields.integer("order_id", 1, COUNTER_MAX),
		reason: fields.string("reason", REASON_MAX_CHARS),
	};
}
