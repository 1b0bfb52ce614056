// The operator's view of releases and of the keys that may sign them.
import { Type } from "typebox";
import { hexDecode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { HASH_BYTES } from "../../src/protocol/limits.js";
import { keyIdOf } from "../../src/protocol/release-statement.js";
import { announce } from "../announce.js";
import { audit } from "../auth/audit.js";
import { sha256Hex } from "../auth/device-keys.js";
import { importReleaseKey } from "../auth/release-signature.js";
import type { LogEvent } from "../domain/event.js";
import type { Server, Services } from "../services.js";
import { appendEvents } from "../stores/event-store.js";
import { addReleaseKey, listReleaseKeys, listReleases } from "../stores/release-store.js";
import { describe } from "./operation.js";
import { ReleaseAnswer, releaseAnswer } from "./release-answer.js";
import { change, ReleaseFilterFields, releaseFilterOf } from "./release-requests.js";
import { CursorSchema, LimitSchema } from "./schemas.js";

const KeyBody = Type.Object(
	{
		/** Uncompressed P-256 point, 65 bytes in lower-case hex. */
		public_key: Type.String({ pattern: "^04[0-9a-f]{128}$" }),
	},
	{ additionalProperties: false },
);
const ListQuery = Type.Object(
	{ ...ReleaseFilterFields, after: Type.Optional(CursorSchema), limit: Type.Optional(LimitSchema) },
	{ additionalProperties: false },
);
const ReleasePath = Type.Object({ id: CursorSchema });
const LIST = describe({
	tag: "Releases",
	summary: "Releases in the order of their ids",
	querystring: ListQuery,
	answers: { 200: Type.Object({ releases: Type.Array(ReleaseAnswer), next_after: Type.Integer() }) },
});
const ACTIVATE = describe({
	tag: "Releases",
	summary: "Give a release to devices (again)",
	params: ReleasePath,
	answers: { 200: ReleaseAnswer },
	errors: ["release-unknown"],
});
const DEACTIVATE = describe({
	tag: "Releases",
	summary: "Give a release to no device any more",
	params: ReleasePath,
	answers: { 200: ReleaseAnswer },
	errors: ["release-unknown"],
});
const KeyAnswer = Type.Object({ key_id: Type.String(), public_key: Type.String() });
const ADD_KEY = describe({
	tag: "Releases",
	summary: "Register a public key that may sign releases",
	description: "Answered with 200 where it was there already.",
	body: KeyBody,
	answers: { 200: KeyAnswer, 201: KeyAnswer },
});
const LIST_KEYS = describe({
	tag: "Releases",
	summary: "The keys that may sign releases",
	answers: { 200: Type.Object({ release_keys: Type.Array(KeyAnswer) }) },
});

export function registerReleaseRoutes(server: Server, services: Services): void {
	registerKeyRoutes(server, services);
	const config = { role: "viewer" } as const;
	server.get("/api/cloud/fota/releases", { config, schema: LIST }, async (request) => {
		const { after = 0, limit = 100 } = request.query;
		const rows = await listReleases(services.db, { ...releaseFilterOf(request.query), after, limit });
		return {
			releases: rows.map((row) => releaseAnswer(services, row)),
			next_after: rows.at(-1)?.id ?? after,
		};
	});
	for (const [action, isActive] of [
		["activate", true],
		["deactivate", false],
	] as const)
		server.post(
			`/api/cloud/fota/releases/:id/${action}`,
			{ config: { role: "operator" }, schema: isActive ? ACTIVATE : DEACTIVATE },
			async (request) => {
				const wish = { is_active: isActive };
				return releaseAnswer(services, await change(services, request, { id: request.params.id, wish }));
			},
		);
}

function registerKeyRoutes(server: Server, services: Services): void {
	const { db } = services;
	const addConfig = { role: "admin" } as const;
	server.post(
		"/api/cloud/fota/release-keys",
		{ config: addConfig, schema: ADD_KEY },
		async (request, reply) => {
			const { public_key: publicKeyHex } = request.body;
			if (importReleaseKey(publicKeyHex) === undefined)
				throw new FotaError("request-malformed", "public_key is not a point of P-256");
			const hash = sha256Hex(Buffer.from(publicKeyHex, "hex"));
			const keyId = keyIdOf(hexDecode(hash, HASH_BYTES) ?? new Uint8Array(0));
			const nowMs = services.nowMs();
			const event: LogEvent = { log: "security", type: "release_key_added", details: { key_id: keyId } };
			const isNew = await db.transaction().execute(async (transaction) => {
				if (!(await addReleaseKey(transaction, { keyId, publicKeyHex, nowMs }))) return false;
				await appendEvents(transaction, [event], nowMs);
				await audit(transaction, request, {
					action: "release-key.add",
					target: `release-key:${keyId}`,
					nowMs,
				});
				return true;
			});
			if (isNew) announce(request.log, [event]);
			return reply.code(isNew ? 201 : 200).send({ key_id: keyId, public_key: publicKeyHex });
		},
	);
	const config = { role: "viewer" } as const;
	server.get("/api/cloud/fota/release-keys", { config, schema: LIST_KEYS }, async () => {
		const rows = await listReleaseKeys(db);
		return { release_keys: rows.map((row) => ({ key_id: row.key_id, public_key: row.public_key })) };
	});
}
