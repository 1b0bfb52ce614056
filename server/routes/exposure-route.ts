// GET exposure: who still runs a version, and who lacks which security fix.
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { lacks } from "../domain/exposure.js";
import type { Server, Services } from "../services.js";
import {
	countVersions,
	type ExposedDevice,
	listExposed,
	type VersionCount,
} from "../stores/exposure-store.js";
import { listReleases } from "../stores/release-store.js";
import type { ReleaseRow } from "../stores/tables.js";
import { describe } from "./operation.js";
import { DeviceIdSchema, LimitSchema, NameSchema, nullable, VersionSchema } from "./schemas.js";
import { TimeAnswer, timeOf } from "./time.js";

/** Different versions, channels and groups that are told apart. */
const COUNTS_MAX = 1000;
/** The newest ones count. */
const FIXES_MAX = 100;

const Query = Type.Object(
	{
		device_type: NameSchema,
		version: Type.Optional(Type.String({ ...VersionSchema, description: "Only devices that run it" })),
		lacking: Type.Optional(
			Type.String({ ...VersionSchema, description: "Only devices that lack this security fix" }),
		),
		after: Type.Optional(DeviceIdSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);
const Running = {
	version: nullable(Type.String({ description: "By the last report; null: none came" })),
	chip: nullable(Type.String()),
	channel: Type.String(),
	group: nullable(Type.String()),
	lacks: Type.Array(Type.String(), { description: "Versions of the security fixes that it is without" }),
};
const Answer = Type.Object({
	device_type: Type.String(),
	device_count: Type.Integer({ description: "Of those that are asked for, and counted below" }),
	counts: Type.Array(Type.Object({ ...Running, count: Type.Integer() })),
	is_complete: Type.Boolean({ description: "false: there are more combinations than are counted" }),
	security_fixes: Type.Array(
		Type.Object({
			release_id: Type.Integer(),
			version: Type.String(),
			chip: Type.String(),
			channel: Type.String(),
			lacking_count: Type.Integer({ description: "Devices without it, of those that are counted" }),
		}),
	),
	devices: Type.Array(Type.Object({ device_id: Type.String(), ...Running, last_seen: nullable(TimeAnswer) })),
	next_after: nullable(Type.String()),
});

export function registerExposureRoute(server: Server, services: Services): void {
	server.get(
		"/api/releases/exposure",
		{
			config: { role: "viewer" },
			schema: describe({
				tag: "Releases",
				summary: "Which devices of a type run what, and which lack a security fix",
				querystring: Query,
				answers: { 200: Answer },
				errors: ["release-unknown"],
			}),
		},
		async (request) => exposureAnswer(services, request.query),
	);
}

async function exposureAnswer({ db }: Services, query: Static<typeof Query>) {
	const { device_type: deviceType, version, lacking, after, limit = 100 } = query;
	if (version !== undefined && lacking !== undefined)
		throw new FotaError("request-malformed", "version and lacking exclude each other");
	const fixes = await findFixes(db, deviceType);
	const fix = fixes.find((release) => release.version === lacking);
	if (lacking !== undefined && fix === undefined)
		throw new FotaError("release-unknown", "no active release of this version is a security fix");
	const isWanted = (row: VersionCount | ExposedDevice) => fix === undefined || lacks(row, fix);
	const asked = version === undefined ? undefined : [version];
	const all = await countVersions(db, { deviceType, versions: asked }, COUNTS_MAX + 1);
	const counts = all.slice(0, COUNTS_MAX).filter(isWanted);
	const versions = lacking === undefined ? asked : [...new Set(counts.map((row) => row.version))];
	const devices =
		versions?.length === 0 ? [] : await listExposed(db, { deviceType, versions }, { after, limit });
	return {
		device_type: deviceType,
		device_count: counts.reduce((sum, { count }) => sum + count, 0),
		counts: counts.map((row) => ({ ...runningAnswer(row, fixes), count: row.count })),
		is_complete: all.length <= COUNTS_MAX,
		security_fixes: fixes.map((fix) => fixAnswer(fix, counts)),
		devices: devices.filter(isWanted).map((row) => ({
			device_id: row.device_id,
			...runningAnswer(row, fixes),
			last_seen: timeOf(row.last_seen_at_ms),
		})),
		next_after: devices.length === limit ? (devices.at(-1)?.device_id ?? null) : null,
	};
}

/** Withdrawn ones nobody can get any more. */
async function findFixes(db: Services["db"], deviceType: string): Promise<ReleaseRow[]> {
	return listReleases(db, {
		deviceType,
		isSecurityFix: true,
		isActive: true,
		isNewestFirst: true,
		limit: FIXES_MAX,
	});
}

function runningAnswer(row: VersionCount | ExposedDevice, fixes: readonly ReleaseRow[]) {
	return {
		version: row.version,
		chip: row.chip,
		channel: row.channel,
		group: row.group_name,
		lacks: fixes.filter((fix) => lacks(row, fix)).map(({ version }) => version),
	};
}

function fixAnswer(fix: ReleaseRow, counts: readonly VersionCount[]) {
	const lacking = counts.filter((row) => lacks(row, fix));
	return {
		release_id: fix.id,
		version: fix.version,
		chip: fix.chip,
		channel: fix.channel,
		lacking_count: lacking.reduce((sum, { count }) => sum + count, 0),
	};
}
