// API tokens for programs, for an admin: list, make, take back.
import { randomBytes } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { audit } from "../auth/audit.js";
import { sha256Hex } from "../auth/device-keys.js";
import { operatorOf } from "../auth/operator.js";
import { ADMIN_TOKEN_NAME, API_TOKEN_PREFIX } from "../auth/operator-authenticator.js";
import type { Server, Services } from "../services.js";
import { addApiToken, listApiTokens, removeApiToken } from "../stores/api-token-store.js";
import type { ApiTokenRow } from "../stores/tables.js";
import { RoleSchema, TokenAnswer } from "./access-schemas.js";
import { describe } from "./operation.js";
import { CursorSchema, LimitSchema, NameSchema } from "./schemas.js";
import { timeOf } from "./time.js";

const DAY_MS = 86_400_000;
const EXPIRY_MAX_DAYS = 365;
const SECRET_BYTES = 32;

const ListQuery = Type.Object(
	{ after: Type.Optional(CursorSchema), limit: Type.Optional(LimitSchema) },
	{ additionalProperties: false },
);
const CreateBody = Type.Object(
	{
		name: NameSchema,
		role: RoleSchema,
		expires_in_days: Type.Integer({ minimum: 1, maximum: EXPIRY_MAX_DAYS }),
	},
	{ additionalProperties: false },
);
const TokenPath = Type.Object({ id: CursorSchema }, { additionalProperties: false });

const LIST = describe({
	tag: "Access",
	summary: "API tokens, those that are over included; never their text",
	querystring: ListQuery,
	answers: { 200: Type.Object({ tokens: Type.Array(TokenAnswer), next_after: Type.Integer() }) },
});
const CREATE = describe({
	tag: "Access",
	summary: "Make an API token",
	body: CreateBody,
	answers: {
		201: Type.Object({
			...TokenAnswer.properties,
			token: Type.String({ description: "Shown this once; begins with fota_" }),
		}),
	},
	errors: ["name-taken"],
});
const DELETE = describe({
	tag: "Access",
	summary: "Take a token back, at once",
	params: TokenPath,
	answers: { 204: null },
	errors: ["not-found"],
});

export function registerTokenRoutes(server: Server, services: Services): void {
	const config = { role: "admin" } as const;
	server.get("/api/tokens", { config, schema: LIST }, async (request) => {
		const { after = 0, limit = 100 } = request.query;
		const rows = await listApiTokens(services.db, { after, limit });
		return { tokens: rows.map(tokenAnswer), next_after: rows.at(-1)?.id ?? after };
	});
	server.post("/api/tokens", { config, schema: CREATE }, async (request, reply) => {
		reply.header("cache-control", "no-store");
		return reply.code(201).send(await createToken(services, request, request.body));
	});
	server.delete("/api/tokens/:id", { config, schema: DELETE }, async (request, reply) => {
		const nowMs = services.nowMs();
		await services.db.transaction().execute(async (transaction) => {
			const row = await removeApiToken(transaction, request.params.id);
			if (row === undefined) throw new FotaError("not-found", "no such token");
			await audit(transaction, request, { action: "token.delete", target: `token:${row.name}`, nowMs });
		});
		return reply.code(204).send();
	});
}

async function createToken(services: Services, request: FastifyRequest, body: Static<typeof CreateBody>) {
	const { name, role, expires_in_days: days } = body;
	if (name === ADMIN_TOKEN_NAME) throw new FotaError("name-taken", "that is the server's own token");
	const token = `${API_TOKEN_PREFIX}${randomBytes(SECRET_BYTES).toString("base64url")}`;
	const nowMs = services.nowMs();
	const row = await services.db.transaction().execute(async (transaction) => {
		const added = await addApiToken(transaction, {
			name,
			token_hash: sha256Hex(token),
			role,
			created_by: operatorOf(request).actor,
			created_at_ms: nowMs,
			expires_at_ms: nowMs + days * DAY_MS,
			last_used_at_ms: null,
		});
		if (added === undefined) throw new FotaError("name-taken", "there is a token of this name");
		await audit(transaction, request, {
			action: "token.create",
			target: `token:${name}`,
			details: { role, expires_in_days: days },
			nowMs,
		});
		return added;
	});
	return { ...tokenAnswer(row), token };
}

function tokenAnswer(row: ApiTokenRow) {
	return {
		id: row.id,
		name: row.name,
		role: row.role,
		created_by: row.created_by,
		created_at: timeOf(row.created_at_ms),
		expires_at: timeOf(row.expires_at_ms),
		last_used_at: timeOf(row.last_used_at_ms),
	};
}
