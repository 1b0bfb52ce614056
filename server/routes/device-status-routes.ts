// What the operator sees of each device, and the order to roll back.
import { announce } from "../announce.js";
import { audit } from "../auth/audit.js";
import type { Server, Services } from "../services.js";
import { listDevices } from "../stores/device-store.js";
import { appendEvents } from "../stores/event-store.js";
import { addRollbackOrder, findLastOrders, orderEvents } from "../stores/rollback-order-store.js";
import { findStatuses } from "../stores/status-store.js";
import type { DeviceRow, DeviceStatusRow, RollbackOrderRow } from "../stores/tables.js";
import { knownDevice } from "./device-routes.js";
import { ORDER, STATUS } from "./device-status-schemas.js";
import { timeOf } from "./time.js";

export function registerDeviceStatusRoutes(server: Server, services: Services): void {
	const { db } = services;
	const statusConfig = { role: "viewer" } as const;
	server.get("/api/cloud/fota/status", { config: statusConfig, schema: STATUS }, async (request) => {
		const { device_id: deviceId, after, limit = 100 } = request.query;
		if (deviceId !== undefined) {
			const [answer] = await statusAnswers(services, [await knownDevice(db, deviceId)]);
			return answer;
		}
		const devices = await listDevices(db, { after, limit });
		return {
			devices: await statusAnswers(services, devices),
			next_after: devices.at(-1)?.device_id ?? after ?? null,
		};
	});
	const orderConfig = { role: "operator" } as const;
	server.post("/api/cloud/fota/rollback", { config: orderConfig, schema: ORDER }, async (request, reply) => {
		const { device_id: deviceId, reason } = request.body;
		await knownDevice(db, deviceId);
		const nowMs = services.nowMs();
		const order = await db.transaction().execute(async (transaction) => {
			const row = await addRollbackOrder(transaction, { deviceId, reason, nowMs });
			await appendEvents(transaction, orderEvents(row), nowMs);
			await audit(transaction, request, {
				action: "device.order-rollback",
				target: `device:${deviceId}`,
				details: { order_id: row.order_id, reason },
				nowMs,
			});
			return row;
		});
		announce(request.log, orderEvents(order));
		return reply.code(201).send({ device_id: deviceId, ...orderAnswer(order) });
	});
}

async function statusAnswers(services: Services, devices: readonly DeviceRow[]) {
	const ids = devices.map((device) => device.device_id);
	const statuses = await findStatuses(services.db, ids);
	const orders = await findLastOrders(services.db, ids);
	return devices.map((device) =>
		statusAnswer(device, statuses.get(device.device_id), orders.get(device.device_id)),
	);
}

function statusAnswer(
	device: DeviceRow,
	status: DeviceStatusRow | undefined,
	order: RollbackOrderRow | undefined,
) {
	return {
		device_id: device.device_id,
		device_type: device.device_type,
		chip: status?.chip ?? device.chip,
		is_legacy: device.is_legacy === 1,
		last_seen: timeOf(device.last_seen_at_ms),
		build_number: buildNumberOf(device, status),
		...(status === undefined ? { fota_state: null, reported_at: null } : reportAnswer(status)),
		rollback_order: order === undefined ? null : orderAnswer(order),
	};
}

// Said with a version, so no longer known once another one runs.
function buildNumberOf(device: DeviceRow, status: DeviceStatusRow | undefined): number | null {
	const isCurrent = status === undefined || status.version === device.build_version;
	return isCurrent ? device.build_number : null;
}

// With the names of the report (docs/protocol.md §7).
function reportAnswer(status: DeviceStatusRow) {
	return {
		fota_state: status.state,
		boot_status: status.boot_status,
		reported_device_type: status.device_type,
		version: status.version,
		slot: status.slot,
		reset_reason: status.reset_reason,
		uptime_s: status.uptime_s,
		target_version: status.target_version,
		target_hash: status.target_hash,
		chunk_received: status.chunks_received,
		total_chunks: status.chunk_count,
		progress: progressOf(status),
		verified: flagOf(status.is_verified),
		trial_boots: status.trial_boots,
		rollback: flagOf(status.is_rolled_back),
		error_code: status.error_code,
		error: status.error_message,
		last_error:
			status.last_error_code === null
				? null
				: {
						error_code: status.last_error_code,
						error: status.last_error_message,
						reported_at: timeOf(status.last_error_at_ms),
					},
		reported_at: timeOf(status.reported_at_ms),
	};
}

function progressOf({ chunks_received: received, chunk_count: count }: DeviceStatusRow): number | null {
	return received !== null && count !== null ? Math.min(100, Math.floor((100 * received) / count)) : null;
}

function orderAnswer(order: RollbackOrderRow) {
	return {
		order_id: order.order_id,
		reason: order.reason,
		ordered_at: timeOf(order.ordered_at_ms),
		done_at: timeOf(order.done_at_ms),
	};
}

function flagOf(value: number | null): boolean | null {
	return value === null ? null : value === 1;
}
