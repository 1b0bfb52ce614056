// What the release routes of both systems take: filters of lists, and changes. Called by release-routes.ts and
// firmware-routes.ts.
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { announce } from "../announce.js";
import { audit } from "../auth/audit.js";
import { channelOf } from "../domain/release-channel.js";
import type { Services } from "../services.js";
import { changeRelease, type ReleaseChangeRequest } from "../stores/change-release.js";
import type { ReleaseFilter } from "../stores/release-store.js";
import type { ReleaseRow } from "../stores/tables.js";
import { ChannelSchema, ChipSchema, NameSchema, VersionSchema } from "./schemas.js";

export const ReleaseFilterFields = {
	device_type: Type.Optional(NameSchema),
	chip: Type.Optional(ChipSchema),
	version: Type.Optional(VersionSchema),
	channel: Type.Optional(ChannelSchema),
	is_stable: Type.Optional(Type.Boolean()),
	is_active: Type.Optional(Type.Boolean()),
	is_security_fix: Type.Optional(Type.Boolean()),
};
const ACTIONS: Readonly<Record<string, string>> = {
	release_changed: "release.change",
	release_activated: "release.activate",
	release_deactivated: "release.deactivate",
};
const FilterSchema = Type.Object(ReleaseFilterFields);

/** Throws `request-malformed` where channel and is_stable contradict each other. */
export function releaseFilterOf(query: Static<typeof FilterSchema>): ReleaseFilter {
	return {
		deviceType: query.device_type,
		chip: query.chip,
		version: query.version,
		channel: channelOf(query),
		isActive: query.is_active,
		isSecurityFix: query.is_security_fix,
	};
}

/** Changes a release and tells of it. Throws what changeRelease() throws. */
export async function change(
	services: Services,
	request: FastifyRequest,
	wanted: Pick<ReleaseChangeRequest, "id" | "wish" | "signed">,
): Promise<ReleaseRow> {
	const nowMs = services.nowMs();
	const target = `release:${wanted.id}`;
	const { release, events } = await changeRelease(services.db, {
		...wanted,
		nowMs,
		async note(transaction, news) {
			for (const { type, details } of news)
				await audit(transaction, request, { action: ACTIONS[type] ?? type, target, details, nowMs });
		},
	});
	announce(request.log, events);
	return release;
}
