// The event log and the security log, for the operator.
import { type Static, Type } from "typebox";
import type { LogName } from "../domain/event.js";
import type { Server, Services } from "../services.js";
import { listEvents } from "../stores/event-store.js";
import type { EventRow } from "../stores/tables.js";
import { describe } from "./operation.js";
import { CursorSchema, DeviceIdSchema, LimitSchema } from "./schemas.js";
import { TimeAnswer, TimeSchema, timeMsOf, timeOf } from "./time.js";

const Query = Type.Object(
	{
		device_id: Type.Optional(DeviceIdSchema),
		type: Type.Optional(Type.String({ pattern: "^[a-z_]{1,40}$" })),
		since: Type.Optional(TimeSchema),
		until: Type.Optional(TimeSchema),
		after: Type.Optional(
			Type.Integer({
				...CursorSchema,
				description:
					"Events behind this id, the oldest first; without it, the newest ones. Rising ids in both cases",
			}),
		),
		before: Type.Optional(
			Type.Integer({ ...CursorSchema, description: "The newest of the events below this id" }),
		),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);
const EventAnswer = Type.Object({
	id: Type.Integer(),
	time: TimeAnswer,
	device_id: Type.Union([Type.String(), Type.Null()]),
	type: Type.String(),
	details: Type.Record(Type.String(), Type.Unknown()),
});
const PageAnswer = Type.Object({
	events: Type.Array(EventAnswer),
	next_after: Type.Integer({ description: "For the events that come later" }),
	next_before: Type.Union([Type.Integer(), Type.Null()], { description: "For those that came before" }),
});

const SUMMARIES: Readonly<Record<LogName, string>> = {
	fota: "What became of devices and releases",
	security: "What was refused, and what an intruder would do",
};

export function registerLogRoutes(server: Server, services: Services): void {
	for (const log of ["fota", "security"] as const) registerLogRoute(server, services, log);
}

function registerLogRoute(server: Server, services: Services, log: LogName): void {
	const schema = describe({
		tag: "Logs",
		summary: SUMMARIES[log],
		querystring: Query,
		answers: { 200: PageAnswer },
		errors: ["request-malformed"],
	});
	server.get(`/api/cloud/logs/${log}`, { config: { role: "viewer" }, schema }, async (request) =>
		page(services, log, request.query),
	);
}

async function page(services: Services, log: LogName, query: Static<typeof Query>) {
	const { device_id: deviceId, type, since, until, after, before, limit = 100 } = query;
	const times = { sinceMs: timeMsOf(since), untilMs: timeMsOf(until) };
	const rows = await listEvents(services.db, { log, deviceId, type, ...times, after, before, limit });
	return {
		events: rows.map(eventAnswer),
		next_after: rows.at(-1)?.id ?? after ?? 0,
		next_before: rows[0]?.id ?? null,
	};
}

function eventAnswer(row: EventRow) {
	return {
		id: row.id,
		time: timeOf(row.at_ms),
		device_id: row.device_id,
		type: row.type,
		details: JSON.parse(row.details) as Record<string, unknown>,
	};
}
