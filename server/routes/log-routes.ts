// The event log and the security log, for the operator.
import { Type } from "typebox";
import type { LogName } from "../domain/event.js";
import type { Server, Services } from "../services.js";
import { listEvents } from "../stores/event-store.js";
import type { EventRow } from "../stores/tables.js";
import { CursorSchema, DeviceIdSchema, LimitSchema } from "./schemas.js";

const Query = Type.Object(
	{
		device_id: Type.Optional(DeviceIdSchema),
		type: Type.Optional(Type.String({ pattern: "^[a-z_]{1,40}$" })),
		/** Events behind this id, the oldest first; without it, the newest ones. Rising ids in both cases. */
		after: Type.Optional(CursorSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);

export function registerLogRoutes(server: Server, services: Services): void {
	for (const log of ["fota", "security"] as const) registerLogRoute(server, services, log);
}

function registerLogRoute(server: Server, services: Services, log: LogName): void {
	server.get(`/api/cloud/logs/${log}`, { schema: { querystring: Query } }, async (request) => {
		const { device_id: deviceId, type, after, limit = 100 } = request.query;
		const rows = await listEvents(services.db, { log, deviceId, type, after, limit });
		return { events: rows.map(eventAnswer), next_after: rows.at(-1)?.id ?? after ?? 0 };
	});
}

function eventAnswer(row: EventRow) {
	return {
		id: row.id,
		time: new Date(row.at_ms).toISOString(),
		device_id: row.device_id,
		type: row.type,
		details: JSON.parse(row.details) as Record<string, unknown>,
	};
}
