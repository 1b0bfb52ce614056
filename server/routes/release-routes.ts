// The operator's view of releases and of the keys that may sign them.
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { hexDecode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { HASH_BYTES } from "../../src/protocol/limits.js";
import { keyIdOf } from "../../src/protocol/release-statement.js";
import { announce } from "../announce.js";
import { sha256Hex } from "../auth/device-keys.js";
import { importReleaseKey } from "../auth/release-signature.js";
import type { LogEvent } from "../domain/event.js";
import type { Server, Services } from "../services.js";
import { appendEvents } from "../stores/event-store.js";
import {
	addReleaseKey,
	findReleaseById,
	listReleaseKeys,
	listReleases,
	updateRelease,
} from "../stores/release-store.js";
import type { ReleaseRow } from "../stores/tables.js";
import { CursorSchema, LimitSchema, NameSchema } from "./schemas.js";

const KeyBody = Type.Object(
	{
		/** Uncompressed P-256 point, 65 bytes in lower-case hex. */
		public_key: Type.String({ pattern: "^04[0-9a-f]{128}$" }),
	},
	{ additionalProperties: false },
);
const ListQuery = Type.Object(
	{
		device_type: Type.Optional(NameSchema),
		after: Type.Optional(CursorSchema),
		limit: Type.Optional(LimitSchema),
	},
	{ additionalProperties: false },
);
const ReleasePath = Type.Object({ id: CursorSchema });

export function registerReleaseRoutes(server: Server, services: Services): void {
	registerKeyRoutes(server, services);
	const { db } = services;
	server.get("/api/cloud/fota/releases", { schema: { querystring: ListQuery } }, async (request) => {
		const { device_type: deviceType, after = 0, limit = 100 } = request.query;
		const rows = await listReleases(db, { deviceType, after, limit });
		return { releases: rows.map(releaseAnswer), next_after: rows.at(-1)?.id ?? after };
	});
	server.post(
		"/api/cloud/fota/releases/:id/deactivate",
		{ schema: { params: ReleasePath } },
		async (request) => {
			const release = await findReleaseById(db, request.params.id);
			if (release === undefined) throw new FotaError("release-unknown", "no such release");
			return releaseAnswer(release.is_active === 1 ? await deactivate(services, request, release) : release);
		},
	);
}

function registerKeyRoutes(server: Server, services: Services): void {
	const { db } = services;
	server.post("/api/cloud/fota/release-keys", { schema: { body: KeyBody } }, async (request, reply) => {
		const { public_key: publicKeyHex } = request.body;
		if (importReleaseKey(publicKeyHex) === undefined)
			throw new FotaError("request-malformed", "public_key is not a point of P-256");
		const hash = sha256Hex(Buffer.from(publicKeyHex, "hex"));
		const keyId = keyIdOf(hexDecode(hash, HASH_BYTES) ?? new Uint8Array(0));
		const nowMs = services.nowMs();
		const isNew = await addReleaseKey(db, { keyId, publicKeyHex, nowMs });
		if (isNew) {
			const event: LogEvent = { log: "security", type: "release_key_added", details: { key_id: keyId } };
			await appendEvents(db, [event], nowMs);
			announce(request.log, [event]);
		}
		return reply.code(isNew ? 201 : 200).send({ key_id: keyId, public_key: publicKeyHex });
	});
	server.get("/api/cloud/fota/release-keys", async () => {
		const rows = await listReleaseKeys(db);
		return { release_keys: rows.map((row) => ({ key_id: row.key_id, public_key: row.public_key })) };
	});
}

async function deactivate(
	services: Services,
	request: FastifyRequest,
	release: ReleaseRow,
): Promise<ReleaseRow> {
	const nowMs = services.nowMs();
	const { device_type, version } = release;
	const event: LogEvent = { log: "fota", type: "release_deactivated", details: { device_type, version } };
	const row = await services.db.transaction().execute(async (db) => {
		const updated = await updateRelease(db, release.id, { is_active: 0, updated_at_ms: nowMs });
		await appendEvents(db, [event], nowMs);
		return updated;
	});
	announce(request.log, [event]);
	return row;
}

function releaseAnswer(row: ReleaseRow) {
	return {
		id: row.id,
		device_type: row.device_type,
		chip: row.chip,
		version: row.version,
		build_number: row.build_number,
		security_version: row.security_version,
		size: row.size_bytes,
		hash: row.hash,
		min_current_version: row.min_current_version,
		chunk_size: row.chunk_bytes,
		description: row.description,
		project_name: row.project_name,
		key_id: row.key_id,
		is_active: row.is_active === 1,
		released_at: new Date(row.released_at * 1000).toISOString(),
		created_at: new Date(row.created_at_ms).toISOString(),
		updated_at: new Date(row.updated_at_ms).toISOString(),
	};
}
