// POST status: what a device reports about itself (docs/protocol.md §7). Status, events and the end of a rollback
// order are one transaction: an accepted report is never half recorded.
import { encodeStatusAnswer, parseStatusReport, STATUS_PATH } from "../../src/protocol/status-report.js";
import { announce } from "../announce.js";
import { eventsOfReport, isImageVerified, type ReportBefore } from "../domain/report-events.js";
import type { Server, Services } from "../services.js";
import { appendEvents } from "../stores/event-store.js";
import { lockDevice } from "../stores/locks.js";
import { findPendingOrder, finishOrders } from "../stores/rollback-order-store.js";
import { findStatus, saveStatus } from "../stores/status-store.js";
import type { DeviceStatusRow } from "../stores/tables.js";
import { callerOf, noteTypeMismatch, rawBodyOf } from "./device-scope.js";

export function registerReportRoute(server: Server, services: Services): void {
	server.post(STATUS_PATH, async (request, reply) => {
		const caller = callerOf(request);
		const deviceId = caller.device.device_id;
		const report = parseStatusReport(rawBodyOf(request));
		const nowMs = services.nowMs();
		const { pending, events } = await services.db.transaction().execute(async (db) => {
			await lockDevice(db, deviceId);
			const row = await findStatus(db, deviceId);
			const before = row && reportOf(row);
			const news = eventsOfReport(deviceId, before, report);
			await saveStatus(db, deviceId, { ...report, isVerified: isImageVerified(before, report) }, nowMs);
			// Announced only (state ROLLBACK, not yet rolled back), it may still be lost to a power cut.
			if (report.rollbackOrderId !== undefined && (report.isRolledBack || report.state !== "ROLLBACK"))
				await finishOrders(db, { deviceId, orderId: report.rollbackOrderId, nowMs });
			const order = await findPendingOrder(db, deviceId);
			await appendEvents(db, news, nowMs);
			return { pending: order, events: news };
		});
		announce(request.log, events);
		// Accepted all the same: the report is what the device is, right or wrong.
		if (report.deviceType !== caller.device.device_type) await noteTypeMismatch(services, request, report);
		const answer = encodeStatusAnswer({ isRollbackPending: pending !== undefined });
		return reply.type("application/json").send(answer);
	});
}

function reportOf(row: DeviceStatusRow): ReportBefore {
	return {
		state: row.state,
		bootStatus: row.boot_status,
		uptimeSeconds: row.uptime_s,
		targetHash: row.target_hash ?? undefined,
		chunksReceived: row.chunks_received ?? undefined,
		isVerified: row.is_verified === 1,
		isRolledBack: row.is_rolled_back === 1,
		errorCode: row.error_code ?? undefined,
	};
}
