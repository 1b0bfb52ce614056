// The operator's orders to go back to the previous firmware.
import { lockDevice } from "./locks.js";
import type { Records, RollbackOrderRow } from "./tables.js";

export interface NewOrder {
	readonly deviceId: string;
	readonly reason: string;
	readonly nowMs: number;
}

/**
 * Within a transaction. The ids of a device's orders rise. They begin at the time in seconds: a device remembers the last order it carried
 * out, and would take no order of a server that lost its database and counted from 1 again.
 */
export async function addRollbackOrder(db: Records, order: NewOrder): Promise<RollbackOrderRow> {
	await lockDevice(db, order.deviceId);
	const last = await findLastOrder(db, order.deviceId);
	const orderId = Math.max((last?.order_id ?? 0) + 1, Math.floor(order.nowMs / 1000));
	return db
		.insertInto("rollback_orders")
		.values({
			device_id: order.deviceId,
			order_id: orderId,
			reason: order.reason,
			ordered_at_ms: order.nowMs,
			done_at_ms: null,
		})
		.returningAll()
		.executeTakeFirstOrThrow();
}

/** The newest order, done or not. */
export async function findLastOrder(db: Records, deviceId: string): Promise<RollbackOrderRow | undefined> {
	return db
		.selectFrom("rollback_orders")
		.selectAll()
		.where("device_id", "=", deviceId)
		.orderBy("order_id", "desc")
		.limit(1)
		.executeTakeFirst();
}

/** The newest order of each of these devices that has one. */
export async function findLastOrders(
	db: Records,
	deviceIds: readonly string[],
): Promise<Map<string, RollbackOrderRow>> {
	if (deviceIds.length === 0) return new Map();
	const rows = await db
		.selectFrom("rollback_orders as last")
		.selectAll()
		.where("device_id", "in", deviceIds)
		.where("order_id", "=", (where) =>
			where
				.selectFrom("rollback_orders as each")
				.select((select) => select.fn.max("each.order_id").as("order_id"))
				.whereRef("each.device_id", "=", "last.device_id"),
		)
		.execute();
	return new Map(rows.map((row) => [row.device_id, row]));
}

/** The order that waits for the device: the newest, unless it is done; it takes the place of those before it. */
export async function findPendingOrder(db: Records, deviceId: string): Promise<RollbackOrderRow | undefined> {
	const last = await findLastOrder(db, deviceId);
	return last?.done_at_ms === null ? last : undefined;
}

/** Marks the order, and those it took the place of, as done. */
export async function finishOrders(
	db: Records,
	order: { readonly deviceId: string; readonly orderId: number; readonly nowMs: number },
): Promise<void> {
	await db
		.updateTable("rollback_orders")
		.set({ done_at_ms: order.nowMs })
		.where("device_id", "=", order.deviceId)
		.where("order_id", "<=", order.orderId)
		.where("done_at_ms", "is", null)
		.execute();
}
