// Orders to go back to the previous firmware, of an operator or of a rollout that was stopped.
import type { LogEvent } from "../domain/event.js";
import { type Firmware, isToBeLeft } from "../domain/order-fit.js";
import { findSlots } from "./fleet-store.js";
import { lockDevice } from "./locks.js";
import { findStatus } from "./status-store.js";
import type { Records, RollbackOrderRow } from "./tables.js";

export interface NewOrder {
	readonly deviceId: string;
	readonly reason: string;
	/** What is to be left. Default: what runs by the last report. */
	readonly firmware?: Firmware;
	readonly nowMs: number;
}

/**
 * Within a transaction. The ids of a device's orders rise. They begin at the time in seconds: a device remembers the last
 * order it carried out, and would take no order of a server that lost its database and counted from 1 again.
 */
export async function addRollbackOrder(db: Records, order: NewOrder): Promise<RollbackOrderRow> {
	await lockDevice(db, order.deviceId);
	const last = await findLastOrder(db, order.deviceId);
	const orderId = Math.max((last?.order_id ?? 0) + 1, Math.floor(order.nowMs / 1000));
	const { version, hash } = order.firmware ?? (await findRunning(db, order.deviceId));
	return db
		.insertInto("rollback_orders")
		.values({
			device_id: order.deviceId,
			order_id: orderId,
			reason: order.reason,
			ordered_at_ms: order.nowMs,
			done_at_ms: null,
			version,
			hash,
		})
		.returningAll()
		.executeTakeFirstOrThrow();
}

/** By its last report. */
export async function findRunning(db: Records, deviceId: string): Promise<Firmware> {
	const status = await findStatus(db, deviceId);
	if (status === undefined) return { version: null, hash: null };
	const slots = await findSlots(db, deviceId);
	const own = slots.find(({ slot, version }) => slot === status.slot && version === status.version);
	return { version: status.version, hash: own?.hash ?? null };
}

/** For both logs. */
export function orderEvents(order: RollbackOrderRow, more: LogEvent["details"] = {}): LogEvent[] {
	const details = { order_id: order.order_id, reason: order.reason, ...more };
	const type = "rollback_ordered";
	return [
		{ log: "fota", type, deviceId: order.device_id, details },
		{ log: "security", type, deviceId: order.device_id, details },
	];
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

/** The order for what the device runs, where one waits. */
export async function findOrderInForce(db: Records, deviceId: string): Promise<RollbackOrderRow | undefined> {
	const order = await findPendingOrder(db, deviceId);
	if (order === undefined || !isToBeLeft(order, await findRunning(db, deviceId))) return undefined;
	return order;
}

/**
 * Under the lock of the device, which is known to run this: an order that is meant for another firmware has come to
 * nothing. Returns the event of it.
 */
export async function voidOvertakenOrder(
	db: Records,
	told: { readonly deviceId: string; readonly running: Firmware; readonly nowMs: number },
): Promise<LogEvent[]> {
	const { deviceId, running, nowMs } = told;
	const order = await findPendingOrder(db, deviceId);
	if (order === undefined) return [];
	if (isToBeLeft(order, running)) {
		// Given before the device said what it runs: from here on it is meant for that.
		if (order.version === null) await pinOrder(db, order, running);
		return [];
	}
	await finishOrders(db, { deviceId, orderId: order.order_id, nowMs });
	const details = {
		order_id: order.order_id,
		version: order.version ?? undefined,
		running: running.version ?? undefined,
	};
	return [{ log: "fota", type: "rollback_voided", deviceId, details }];
}

async function pinOrder(db: Records, order: RollbackOrderRow, { version, hash }: Firmware): Promise<void> {
	await db
		.updateTable("rollback_orders")
		.set({ version, hash })
		.where("device_id", "=", order.device_id)
		.where("order_id", "=", order.order_id)
		.execute();
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
