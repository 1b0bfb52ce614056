// Devices for the operator: found by what is known of them, sorted into groups, taken out of service and back.
// Registration is device-registry-routes.ts, keys are device-key-routes.ts.
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { announce } from "../announce.js";
import { audit } from "../auth/audit.js";
import type { FotaEvent } from "../domain/event.js";
import { checkTimeZone } from "../domain/schedule-window.js";
import type { Server, Services } from "../services.js";
import { decommission, reinstate } from "../stores/device-service.js";
import { findDevice } from "../stores/device-store.js";
import { appendEvents } from "../stores/event-store.js";
import { changeDevice, findSlots, findTags, listFleet, setTags } from "../stores/fleet-store.js";
import { lockDevice } from "../stores/locks.js";
import { findStatus, findStatuses } from "../stores/status-store.js";
import type { DeviceRow, Records } from "../stores/tables.js";
import { findLastFailure } from "../stores/update-store.js";
import {
	DeviceAnswer,
	DeviceDetailAnswer,
	deviceAnswer,
	flightRecordAnswer,
	slotAnswer,
} from "./device-answer.js";
import { describe } from "./operation.js";
import {
	ChannelSchema,
	DeviceIdSchema,
	DevicePath,
	LimitSchema,
	NameSchema,
	nullable,
	ReasonSchema,
	VersionSchema,
} from "./schemas.js";
import { TimeSchema, timeMsOf } from "./time.js";

const TAGS_MAX = 32;

const ListQuery = Type.Object(
	{
		group: Type.Optional(NameSchema),
		tag: Type.Optional(NameSchema),
		device_type: Type.Optional(NameSchema),
		version: Type.Optional(VersionSchema),
		state: Type.Optional(Type.Union([Type.Literal("active"), Type.Literal("decommissioned")])),
		seen_after: Type.Optional(TimeSchema),
		seen_before: Type.Optional(TimeSchema),
		after: Type.Optional(DeviceIdSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);
const PatchBody = Type.Object(
	{
		group: Type.Optional(nullable(NameSchema)),
		channel: Type.Optional(ChannelSchema),
		time_zone: Type.Optional(
			nullable(
				Type.String({ pattern: "^[A-Za-z][A-Za-z0-9_+/-]{0,63}$", description: "IANA time zone name" }),
			),
		),
		note: Type.Optional(
			nullable(Type.String({ maxLength: 500, pattern: "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f]*$" })),
		),
	},
	{ additionalProperties: false, minProperties: 1 },
);
const TagsBody = Type.Object(
	{ tags: Type.Array(NameSchema, { maxItems: TAGS_MAX, uniqueItems: true }) },
	{ additionalProperties: false },
);
const ReasonBody = Type.Object({ reason: ReasonSchema }, { additionalProperties: false });

export function registerDeviceManagementRoutes(server: Server, services: Services): void {
	registerReadRoutes(server, services);
	registerChangeRoutes(server, services);
	registerServiceRoutes(server, services);
}

function registerReadRoutes(server: Server, { db }: Services): void {
	server.get(
		"/api/devices",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Devices",
				summary: "Devices, in order of their ids",
				querystring: ListQuery,
				answers: {
					200: Type.Object({
						devices: Type.Array(DeviceAnswer),
						next_after: nullable(Type.String()),
					}),
				},
			}),
		},
		async (request) => {
			const { limit = 100, after, ...filter } = request.query;
			const rows = await listFleet(db, { ...filterOf(filter), after, limit });
			const ids = rows.map((row) => row.device_id);
			const statuses = await findStatuses(db, ids);
			const tags = await findTags(db, ids);
			const devices = rows.map((row) =>
				deviceAnswer(row, { status: statuses.get(row.device_id), tags: tags.get(row.device_id) }),
			);
			return { devices, next_after: ids.at(-1) ?? after ?? null };
		},
	);
	server.get(
		"/api/devices/:device_id",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Devices",
				summary: "One device: its slots, and how its last update failed, if one did",
				params: DevicePath,
				answers: { 200: DeviceDetailAnswer },
				errors: ["device-unknown"],
			}),
		},
		async (request) => detailAnswer(db, await knownDevice(db, request.params.device_id)),
	);
}

function filterOf(filter: Omit<Static<typeof ListQuery>, "after" | "limit">) {
	const { device_type: deviceType, seen_after, seen_before, ...rest } = filter;
	return {
		...rest,
		deviceType,
		seenFromMs: timeMsOf(seen_after),
		seenBeforeMs: timeMsOf(seen_before),
	};
}

function registerChangeRoutes(server: Server, services: Services): void {
	server.patch(
		"/api/devices/:device_id",
		{
			config: { role: "operator" },
			schema: describe({
				tag: "Devices",
				summary: "Change group, channel, time zone or note",
				params: DevicePath,
				body: PatchBody,
				answers: { 200: DeviceDetailAnswer },
				errors: ["device-unknown"],
			}),
		},
		async (request) => {
			const { group, ...fields } = request.body;
			if (fields.time_zone) checkTimeZone(fields.time_zone);
			const changes = { ...fields, ...(group === undefined ? {} : { group_name: group }) };
			return change(services, request, {
				action: "device.change",
				details: { ...request.body, note: undefined },
				apply: (transaction, row) => changeDevice(transaction, row.device_id, changes),
			});
		},
	);
	server.put(
		"/api/devices/:device_id/tags",
		{
			config: { role: "operator" },
			schema: describe({
				tag: "Devices",
				summary: "Set the tags of a device, in place of those before",
				params: DevicePath,
				body: TagsBody,
				answers: { 200: DeviceDetailAnswer },
				errors: ["device-unknown"],
			}),
		},
		async (request) =>
			change(services, request, {
				action: "device.tag",
				details: { tags: request.body.tags.join(" ") },
				apply: async (transaction, row) => {
					await setTags(transaction, row.device_id, request.body.tags);
					return row;
				},
			}),
	);
}

function registerServiceRoutes(server: Server, services: Services): void {
	const answers = { 200: DeviceDetailAnswer };
	server.post(
		"/api/devices/:device_id/decommission",
		{
			config: { role: "admin" },
			schema: describe({
				tag: "Devices",
				summary: "Take a device out of service: its requests are refused from now on",
				params: DevicePath,
				body: ReasonBody,
				answers,
				errors: ["device-unknown"],
			}),
		},
		async (request) =>
			change(services, request, {
				action: "device.decommission",
				details: { reason: request.body.reason },
				event: "device_decommissioned",
				apply: async (transaction, row) =>
					row.decommissioned_at_ms === null
						? decommission(transaction, row.device_id, services.nowMs())
						: row,
			}),
	);
	server.post(
		"/api/devices/:device_id/reinstate",
		{
			config: { role: "admin" },
			schema: describe({
				tag: "Devices",
				summary: "Put a device back into service, with the key it has",
				params: DevicePath,
				body: ReasonBody,
				answers,
				errors: ["device-unknown"],
			}),
		},
		async (request) =>
			change(services, request, {
				action: "device.reinstate",
				details: { reason: request.body.reason },
				event: "device_reinstated",
				apply: async (transaction, row) =>
					row.decommissioned_at_ms === null ? row : reinstate(transaction, row.device_id, services.nowMs()),
			}),
	);
}

interface DeviceChange {
	readonly action: string;
	readonly details: Readonly<Record<string, string | null | undefined>>;
	/** For the event log. */
	readonly event?: FotaEvent["type"];
	readonly apply: (transaction: Records, row: DeviceRow) => Promise<DeviceRow>;
}

/** Change, event and audit line as one transaction; answers with the device as it is then. */
async function change(
	{ db, nowMs }: Services,
	request: FastifyRequest<{ Params: Static<typeof DevicePath> }>,
	wanted: DeviceChange,
) {
	const deviceId = request.params.device_id;
	const details = Object.fromEntries(
		Object.entries(wanted.details).map(([name, value]) => [name, value ?? undefined]),
	);
	const events: FotaEvent[] =
		wanted.event === undefined ? [] : [{ log: "fota", type: wanted.event, deviceId, details }];
	const row = await db.transaction().execute(async (transaction) => {
		// Of two that set tags at once each would remove the ones before, and leave the other's.
		await lockDevice(transaction, deviceId);
		const changed = await wanted.apply(transaction, await knownDevice(transaction, deviceId));
		await appendEvents(transaction, events, nowMs());
		const done = { action: wanted.action, target: `device:${deviceId}`, details, nowMs: nowMs() };
		await audit(transaction, request, done);
		return changed;
	});
	announce(request.log, events);
	return detailAnswer(db, row);
}

/** Throws `device-unknown`. */
export async function knownDevice(db: Records, deviceId: string): Promise<DeviceRow> {
	const device = await findDevice(db, deviceId);
	if (device === undefined) throw new FotaError("device-unknown", "no such device is registered");
	return device;
}

async function detailAnswer(db: Records, row: DeviceRow) {
	const deviceId = row.device_id;
	const status = await findStatus(db, deviceId);
	const tags = await findTags(db, [deviceId]);
	const failure = await findLastFailure(db, deviceId);
	return {
		...deviceAnswer(row, { status, tags: tags.get(deviceId) }),
		slots: (await findSlots(db, deviceId)).map(slotAnswer),
		last_failure: failure === undefined ? null : flightRecordAnswer(failure),
	};
}
