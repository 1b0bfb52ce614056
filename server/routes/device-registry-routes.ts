// Registration of devices, which `fota provision` does. The only answer of the server that has a secret in it.
import { Type } from "typebox";
import { hexEncode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { announce } from "../announce.js";
import { audit } from "../auth/audit.js";
import { deviceKeyOf } from "../auth/device-keys.js";
import type { LogEvent } from "../domain/event.js";
import type { Server, Services } from "../services.js";
import { register } from "../stores/device-service.js";
import { listDevices } from "../stores/device-store.js";
import { appendEvents } from "../stores/event-store.js";
import type { DeviceRow } from "../stores/tables.js";
import { describe } from "./operation.js";
import { ChipSchema, DeviceIdSchema, LimitSchema, NameSchema } from "./schemas.js";
import { TimeAnswer, timeOf } from "./time.js";

const Body = Type.Object(
	{
		device_id: DeviceIdSchema,
		device_type: NameSchema,
		chip: Type.Optional(ChipSchema),
		device_key: Type.Optional(
			Type.String({
				pattern: "^[0-9a-f]{64}$",
				description:
					"An existing key to take over, 32 bytes in lower-case hex; without it, the key is derived",
			}),
		),
		new_key: Type.Optional(
			Type.Boolean({
				description:
					"True: another derived key than before. Otherwise a device that is registered again keeps the one it has",
			}),
		),
	},
	{ additionalProperties: false },
);
const ListQuery = Type.Object(
	{ after: Type.Optional(DeviceIdSchema), limit: Type.Optional(LimitSchema) },
	{ additionalProperties: false },
);

const RegistrationAnswer = Type.Object({
	device_id: Type.String(),
	device_type: Type.String(),
	chip: Type.Union([ChipSchema, Type.Null()]),
	device_key: Type.String({ description: "32 bytes in hex, for fota provision" }),
});
const DeviceAnswer = Type.Object({
	device_id: Type.String(),
	device_type: Type.String(),
	chip: Type.Union([ChipSchema, Type.Null()]),
	key: Type.Union([Type.Literal("derived"), Type.Literal("imported")]),
	is_legacy: Type.Boolean({ description: "Speaks without a MAC" }),
	last_seen: Type.Union([TimeAnswer, Type.Null()]),
	registered_at: TimeAnswer,
});
const REGISTER = describe({
	tag: "Devices",
	summary: "Register a device, or register it again",
	description: "Answered with 200 where it was registered before. The only answer with a device's key in it.",
	body: Body,
	answers: { 200: RegistrationAnswer, 201: RegistrationAnswer },
	errors: ["device-decommissioned"],
});
const LIST = describe({
	tag: "Devices",
	summary: "Registered devices in the order of their ids",
	querystring: ListQuery,
	answers: {
		200: Type.Object({
			devices: Type.Array(DeviceAnswer),
			next_after: Type.Union([Type.String(), Type.Null()]),
		}),
	},
});

export function registerDeviceRegistryRoutes(server: Server, services: Services): void {
	const { db, masterKey } = services;
	const config = { role: "admin" } as const;
	server.post("/api/cloud/fota/devices", { config, schema: REGISTER }, async (request, reply) => {
		const { device_id: deviceId, device_type: deviceType, chip, device_key: deviceKeyHex } = request.body;
		const { new_key: isNewKey = false } = request.body;
		if (isNewKey && deviceKeyHex !== undefined)
			throw new FotaError("request-malformed", "device_key and new_key exclude each other");
		const nowMs = services.nowMs();
		const keyOf = (row: DeviceRow) => hexEncode(deviceKeyOf(masterKey, row));
		const { isNew, row, events } = await db.transaction().execute(async (transaction) => {
			const registration = { deviceId, deviceType, chip, deviceKeyHex, nowMs };
			const done = await register(transaction, registration, { isNewKey, keyOf });
			const news = registrationEvents(deviceId, deviceType, done.isKeyReplaced);
			await appendEvents(transaction, news, nowMs);
			await audit(transaction, request, {
				action: "device.register",
				target: `device:${deviceId}`,
				details: {
					device_type: deviceType,
					chip,
					is_key_imported: deviceKeyHex !== undefined,
					is_key_replaced: done.isKeyReplaced,
				},
				nowMs,
			});
			return { ...done, events: news };
		});
		announce(request.log, events);
		// No intermediary may keep it.
		reply.header("cache-control", "no-store");
		return reply.code(isNew ? 201 : 200).send({
			device_id: deviceId,
			device_type: deviceType,
			chip: chip ?? null,
			device_key: keyOf(row),
		});
	});
	const listConfig = { role: "viewer" } as const;
	server.get("/api/cloud/fota/devices", { config: listConfig, schema: LIST }, async (request) => {
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
		last_seen: timeOf(row.last_seen_at_ms),
		registered_at: timeOf(row.created_at_ms),
	};
}
