// Registration of devices, which `fota provision` does. The only answer of the server that has a secret in it.
import { Type } from "typebox";
import { hexEncode } from "../../src/protocol/encoding.js";
import { COUNTER_MAX } from "../../src/protocol/limits.js";
import { announce } from "../announce.js";
import { deviceKeyOf } from "../auth/device-keys.js";
import type { LogEvent } from "../domain/event.js";
import type { Server, Services } from "../services.js";
import { findDevice, listDevices, registerDevice } from "../stores/device-store.js";
import { appendEvents } from "../stores/event-store.js";
import { finishOrders } from "../stores/rollback-order-store.js";
import type { DeviceRow } from "../stores/tables.js";
import { ChipSchema, DeviceIdSchema, LimitSchema, NameSchema } from "./schemas.js";

const Body = Type.Object(
	{
		device_id: DeviceIdSchema,
		device_type: NameSchema,
		chip: Type.Optional(ChipSchema),
		/** An existing key to take over, 32 bytes in lower-case hex; without it, the key is derived. */
		device_key: Type.Optional(Type.String({ pattern: "^[0-9a-f]{64}$" })),
	},
	{ additionalProperties: false },
);
const ListQuery = Type.Object(
	{ after: Type.Optional(DeviceIdSchema), limit: Type.Optional(LimitSchema) },
	{ additionalProperties: false },
);

export function registerDeviceRegistryRoutes(server: Server, services: Services): void {
	const { db, masterKey } = services;
	server.post("/api/cloud/fota/devices", { schema: { body: Body } }, async (request, reply) => {
		const { device_id: deviceId, device_type: deviceType, chip, device_key: deviceKeyHex } = request.body;
		const nowMs = services.nowMs();
		const { isNew, events } = await db.transaction().execute(async (transaction) => {
			const before = await findDevice(transaction, deviceId);
			await registerDevice(transaction, { deviceId, deviceType, chip, deviceKeyHex, nowMs });
			// A rollback that was ordered of the board before is not meant for this one.
			await finishOrders(transaction, { deviceId, orderId: COUNTER_MAX, nowMs });
			const isKeyReplaced = before !== undefined && before.device_key !== (deviceKeyHex ?? null);
			const news = registrationEvents(deviceId, deviceType, isKeyReplaced);
			await appendEvents(transaction, news, nowMs);
			return { isNew: before === undefined, events: news };
		});
		announce(request.log, events);
		const key = deviceKeyOf(masterKey, { device_id: deviceId, device_key: deviceKeyHex ?? null });
		// No intermediary may keep it.
		reply.header("cache-control", "no-store");
		return reply.code(isNew ? 201 : 200).send({
			device_id: deviceId,
			device_type: deviceType,
			chip: chip ?? null,
			device_key: hexEncode(key),
		});
	});
	server.get("/api/cloud/fota/devices", { schema: { querystring: ListQuery } }, async (request) => {
		const { after, limit = 100 } = request.query;
		const rows = await listDevices(db, { after, limit });
		return { devices: rows.map(deviceAnswer), next_after: rows.at(-1)?.device_id ?? after ?? null };
	});
}

function registrationEvents(deviceId: string, deviceType: string, isKeyReplaced: boolean): LogEvent[] {
	const details = { device_type: deviceType };
	const events: LogEvent[] = [{ log: "fota", type: "device_registered", deviceId, details }];
	if (isKeyReplaced) events.push({ log: "security", type: "device_key_replaced", deviceId, details });
	return events;
}

function deviceAnswer(row: DeviceRow) {
	return {
		device_id: row.device_id,
		device_type: row.device_type,
		chip: row.chip,
		key: row.device_key === null ? "derived" : "imported",
		is_legacy: row.is_legacy === 1,
		last_seen: row.last_seen_at_ms === null ? null : new Date(row.last_seen_at_ms).toISOString(),
		registered_at: new Date(row.created_at_ms).toISOString(),
	};
}
