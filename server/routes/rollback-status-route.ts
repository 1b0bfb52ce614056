// GET rollback-status: the operator's order that waits for the device (docs/protocol.md §8).
import { encodeRollbackStatus, ROLLBACK_STATUS_PATH } from "../../src/protocol/rollback-order.js";
import type { Server, Services } from "../services.js";
import { findOrderInForce } from "../stores/rollback-order-store.js";
import { ROLLBACK_STATUS_OPERATION } from "./device-answers.js";
import { callerOf } from "./device-scope.js";
import { describe } from "./operation.js";

export function registerRollbackStatusRoute(server: Server, services: Services): void {
	server.get(
		ROLLBACK_STATUS_PATH,
		{ schema: describe(ROLLBACK_STATUS_OPERATION) },
		async (request, reply) => {
			const row = await findOrderInForce(services.db, callerOf(request).device.device_id);
			const order = row && { orderId: row.order_id, reason: row.reason };
			return reply.type("application/json").send(encodeRollbackStatus(order));
		},
	);
}
