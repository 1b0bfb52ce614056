// System B's view of releases: the same records as release-routes.ts under the paths, names and pages of that system.
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { UPDATE_STATUSES } from "../domain/update-history.js";
import type { Server, Services } from "../services.js";
import { countReleases, findReleaseById, listReleases } from "../stores/release-store.js";
import { listUpdates } from "../stores/update-store.js";
import { UpdateAnswer, updateAnswer } from "./device-answer.js";
import { describe } from "./operation.js";
import { CLAIMS } from "./publishing.js";
import { ReleaseAnswer, releaseAnswer } from "./release-answer.js";
import { change, ReleaseFilterFields, releaseFilterOf } from "./release-requests.js";
import {
	ChannelSchema,
	CursorSchema,
	DescriptionSchema,
	DeviceIdSchema,
	LimitSchema,
	NotesSchema,
	nullable,
	oneOf,
} from "./schemas.js";

const PAGE_MAX = 10_000;

const ListQuery = Type.Object(
	{
		...ReleaseFilterFields,
		/** Counted from 1. */
		page: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX })),
		/** Instead of a page: only releases with a higher id. */
		after: Type.Optional(CursorSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);
const FirmwarePath = Type.Object({ id: CursorSchema });

/** Taken so that a program may send a record back as it got it; another value is refused. */
const SIGNED = { ...CLAIMS, min_current_version: Type.Optional(Type.Union([Type.String(), Type.Null()])) };
const Wish = Type.Object(
	{
		is_active: Type.Optional(Type.Boolean()),
		is_stable: Type.Optional(Type.Boolean()),
		channel: Type.Optional(ChannelSchema),
		is_security_fix: Type.Optional(Type.Boolean()),
		notes: Type.Optional(Type.Union([NotesSchema, Type.Null()])),
		description: Type.Optional(Type.Union([DescriptionSchema, Type.Null()])),
		...SIGNED,
		security_version: Type.Optional(Type.Integer()),
	},
	{ additionalProperties: false },
);

/** Notes of 4,000 characters, up to six bytes each in JSON. */
const WISH_MAX_BYTES = 40_960;

const LogQuery = Type.Object(
	{
		device_id: Type.Optional(DeviceIdSchema),
		firmware_id: Type.Optional(CursorSchema),
		status: Type.Optional(oneOf(UPDATE_STATUSES)),
		before: Type.Optional(
			Type.Integer({ ...CursorSchema, description: "Those below this id: the newest come first" }),
		),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);

const LIST = describe({
	tag: "Releases",
	summary: "Releases, by page or behind an id",
	querystring: ListQuery,
	answers: {
		200: Type.Object({
			firmware: Type.Array(ReleaseAnswer),
			total: Type.Integer(),
			page: Type.Optional(Type.Integer()),
			limit: Type.Integer(),
			next_after: Type.Integer(),
		}),
	},
});
const GET = describe({
	tag: "Releases",
	summary: "One release",
	params: FirmwarePath,
	answers: { 200: ReleaseAnswer },
	errors: ["release-unknown"],
});
const PATCH = describe({
	tag: "Releases",
	summary: "Change what is not signed of a release",
	params: FirmwarePath,
	body: Wish,
	answers: { 200: ReleaseAnswer },
	errors: ["release-unknown", "manifest-mismatch"],
});
const DELETE = describe({
	tag: "Releases",
	summary: "Deactivate a release; none is deleted",
	params: FirmwarePath,
	answers: { 200: ReleaseAnswer },
	errors: ["release-unknown"],
});
const LOGS = describe({
	tag: "Releases",
	summary: "Updates of devices, the newest first",
	querystring: LogQuery,
	answers: { 200: Type.Object({ logs: Type.Array(UpdateAnswer), next_before: nullable(Type.Integer()) }) },
});

export function registerFirmwareRoutes(server: Server, services: Services): void {
	const reading = { role: "viewer" } as const;
	const changing = { role: "operator" } as const;
	server.get("/api/ota/admin/firmware", { config: reading, schema: LIST }, async (request) =>
		listAnswer(services, request.query),
	);
	server.get("/api/ota/admin/firmware/:id", { config: reading, schema: GET }, async (request) => {
		const release = await findReleaseById(services.db, request.params.id);
		if (release === undefined) throw new FotaError("release-unknown", "no such release");
		return releaseAnswer(services, release);
	});
	server.patch(
		"/api/ota/admin/firmware/:id",
		{ config: changing, schema: PATCH, bodyLimit: WISH_MAX_BYTES },
		async (request) => {
			const { is_active, is_stable, channel, is_security_fix, notes, description, ...signed } = request.body;
			const wish = { is_active, is_stable, channel, is_security_fix, notes, description };
			const { id } = request.params;
			return releaseAnswer(services, await change(services, request, { id, wish, signed }));
		},
	);
	// What devices run is not deleted: it is given to nobody any more.
	server.delete("/api/ota/admin/firmware/:id", { config: changing, schema: DELETE }, async (request) => {
		const wish = { is_active: false };
		return releaseAnswer(services, await change(services, request, { id: request.params.id, wish }));
	});
	server.get("/api/ota/admin/logs", { config: reading, schema: LOGS }, async (request) => {
		const { device_id: deviceId, firmware_id: releaseId, status, before, limit = 100 } = request.query;
		const rows = await listUpdates(services.db, { deviceId, releaseId, status, before, limit });
		const isMore = rows.length === limit;
		return { logs: rows.map(updateAnswer), next_before: isMore ? (rows.at(-1)?.id ?? null) : null };
	});
}

async function listAnswer(services: Services, query: Static<typeof ListQuery>) {
	const { page, after, limit = 100 } = query;
	if (page !== undefined && after !== undefined)
		throw new FotaError("request-malformed", "page and after exclude each other");
	const filter = releaseFilterOf(query);
	const offset = ((page ?? 1) - 1) * limit;
	const rows = await listReleases(services.db, { ...filter, after, offset, limit });
	return {
		firmware: rows.map((row) => releaseAnswer(services, row)),
		total: await countReleases(services.db, filter),
		...(after === undefined ? { page: page ?? 1 } : {}),
		limit,
		next_after: rows.at(-1)?.id ?? after ?? 0,
	};
}
