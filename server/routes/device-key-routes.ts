// Replacement of a device's key. With registration the only answer that has a secret in it.
import { Type } from "typebox";
import { hexEncode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { announce } from "../announce.js";
import { audit } from "../auth/audit.js";
import { deviceKeyOf } from "../auth/device-keys.js";
import type { SecurityEvent } from "../domain/event.js";
import type { Server, Services } from "../services.js";
import { replaceKey } from "../stores/device-service.js";
import { appendEvents } from "../stores/event-store.js";
import { knownDevice } from "./device-routes.js";
import { describe } from "./operation.js";
import { DevicePath, HashSchema, ReasonSchema } from "./schemas.js";

const Body = Type.Object(
	{
		reason: ReasonSchema,
		device_key: Type.Optional(
			Type.String({ ...HashSchema, description: "A key to take over; without it, a new one is derived" }),
		),
	},
	{ additionalProperties: false },
);

export function registerDeviceKeyRoutes(server: Server, services: Services): void {
	const { db, masterKey } = services;
	server.post(
		"/api/devices/:device_id/key",
		{
			config: { role: "admin" },
			schema: describe({
				tag: "Devices",
				summary: "Give a device a new key; the old one is worth nothing from then on",
				params: DevicePath,
				body: Body,
				answers: { 200: Type.Object({ device_id: Type.String(), device_key: HashSchema }) },
				errors: ["device-unknown"],
			}),
		},
		async (request, reply) => {
			const { device_id: deviceId } = request.params;
			const { reason, device_key: deviceKeyHex } = request.body;
			const nowMs = services.nowMs();
			const key = deviceKeyHex === undefined ? "derived" : "imported";
			const event: SecurityEvent = {
				log: "security",
				type: "device_key_replaced",
				deviceId,
				details: { key, reason },
			};
			const row = await db.transaction().execute(async (transaction) => {
				const before = await knownDevice(transaction, deviceId);
				if (hexEncode(deviceKeyOf(masterKey, before)) === deviceKeyHex)
					throw new FotaError("request-malformed", "device_key is the key that the device has");
				const changed = await replaceKey(transaction, deviceId, { deviceKeyHex });
				await appendEvents(transaction, [event], nowMs);
				const done = { action: "device.key", target: `device:${deviceId}`, details: { key, reason }, nowMs };
				await audit(transaction, request, done);
				return changed;
			});
			announce(request.log, [event]);
			// No intermediary may keep it.
			reply.header("cache-control", "no-store");
			return { device_id: deviceId, device_key: hexEncode(deviceKeyOf(masterKey, row)) };
		},
	);
}
