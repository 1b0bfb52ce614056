// The history of updates, for the operator: of one device, or by release, rollout, status and time.
import { type Static, Type } from "typebox";
import { UPDATE_STATUSES } from "../domain/update-history.js";
import type { Server, Services } from "../services.js";
import type { Records } from "../stores/tables.js";
import { listUpdates } from "../stores/update-store.js";
import { UpdateAnswer, updateAnswer } from "./device-answer.js";
import { knownDevice } from "./device-routes.js";
import { describe } from "./operation.js";
import { CursorSchema, DeviceIdSchema, DevicePath, LimitSchema, nullable, oneOf } from "./schemas.js";
import { TimeSchema, timeMsOf } from "./time.js";

const FilterFields = {
	release_id: Type.Optional(CursorSchema),
	rollout_id: Type.Optional(CursorSchema),
	status: Type.Optional(oneOf(UPDATE_STATUSES)),
	since: Type.Optional(TimeSchema),
	until: Type.Optional(TimeSchema),
	before: Type.Optional(
		Type.Integer({ ...CursorSchema, description: "Those below this id: the newest come first" }),
	),
	limit: Type.Optional(LimitSchema),
};
const DeviceQuery = Type.Object(FilterFields, { additionalProperties: false });
const Query = Type.Object(
	{ device_id: Type.Optional(DeviceIdSchema), ...FilterFields },
	{ additionalProperties: false },
);
const PageAnswer = Type.Object({
	updates: Type.Array(UpdateAnswer),
	next_before: nullable(Type.Integer({ description: "null: there are no more" })),
});

export function registerUpdateRoutes(server: Server, { db }: Services): void {
	server.get(
		"/api/updates",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Devices",
				summary: "Updates of all devices, the newest first",
				querystring: Query,
				answers: { 200: PageAnswer },
			}),
		},
		async (request) => pageOf(db, request.query),
	);
	server.get(
		"/api/devices/:device_id/updates",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Devices",
				summary: "Updates of one device, the newest first",
				params: DevicePath,
				querystring: DeviceQuery,
				answers: { 200: PageAnswer },
				errors: ["device-unknown"],
			}),
		},
		async (request) => {
			const { device_id } = await knownDevice(db, request.params.device_id);
			return pageOf(db, { ...request.query, device_id });
		},
	);
}

async function pageOf(db: Records, query: Static<typeof Query>) {
	const { limit = 100 } = query;
	const rows = await listUpdates(db, {
		deviceId: query.device_id,
		releaseId: query.release_id,
		rolloutId: query.rollout_id,
		status: query.status,
		fromMs: timeMsOf(query.since),
		toMs: timeMsOf(query.until),
		before: query.before,
		limit,
	});
	const isMore = rows.length === limit;
	return { updates: rows.map(updateAnswer), next_before: isMore ? (rows.at(-1)?.id ?? null) : null };
}
