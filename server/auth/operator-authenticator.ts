// Who does a bearer token belong to? A user's session, an API token, or the admin token. Called by the hook of the
// operator routes for every request.
//
// The session, the user's role and whether the user is active are read from the database each time, one indexed read
// (or two): a user who was deactivated or lost a role, a session that was revoked, have lost it at once and on every
// server. Operators ask rarely; a cache would save nothing that is felt.

import type { FastifyRequest } from "fastify";
import { findApiToken, noteTokenUse } from "../stores/api-token-store.js";
import type { ApiTokenRow, Records } from "../stores/tables.js";
import { findSessionUser } from "../stores/user-store.js";
import { readAccessToken } from "./access-tokens.js";
import { sha256Hex } from "./device-keys.js";
import type { Operator } from "./operator.js";
import { isAdminToken } from "./secrets.js";

/** So that a token that leaks is found by scanners of sources and logs. */
export const API_TOKEN_PREFIX = "fota_";
/** The name under which the admin token stands in the audit log; no other token may have it. */
export const ADMIN_TOKEN_NAME = "admin-token";
const USE_NOTED_EVERY_MS = 60_000;
/** An access token has some 300 characters. */
const BEARER = /^Bearer +([\x21-\x7e]{1,1024})$/i;

export interface OperatorTools {
	readonly db: Records;
	readonly jwtSecret: Uint8Array;
	/** Undefined where it is switched off. */
	readonly adminToken: string | undefined;
	readonly nowMs: () => number;
}

/**
 * Who asks; undefined: nobody who is known. Of a request that was let in already: who it is by now. Its body may have taken
 * minutes; a token that ran out meanwhile is good for it still, one that was taken back is not.
 */
export function operatorBehind(
	tools: OperatorTools,
	{ headers, operator }: FastifyRequest,
): Promise<Operator | undefined> {
	const token = BEARER.exec(headers.authorization ?? "")?.[1];
	if (token === undefined) return Promise.resolve(undefined);
	const admittedAtMs = operator?.admittedAtMs ?? tools.nowMs();
	return identifyOperator({ ...tools, nowMs: () => admittedAtMs }, token);
}

export async function identifyOperator(tools: OperatorTools, token: string): Promise<Operator | undefined> {
	if (tools.adminToken !== undefined && isAdminToken(token, tools.adminToken))
		return {
			actor: `token:${ADMIN_TOKEN_NAME}`,
			name: ADMIN_TOKEN_NAME,
			role: "admin",
			admittedAtMs: tools.nowMs(),
			session: undefined,
		};
	if (token.startsWith(API_TOKEN_PREFIX)) return identifyToken(tools, token);
	return identifyUser(tools, token);
}

// Found by its hash: how long a database takes to find none tells nothing of the token.
async function identifyToken(tools: OperatorTools, token: string): Promise<Operator | undefined> {
	const nowMs = tools.nowMs();
	const row = await findApiToken(tools.db, { hash: sha256Hex(token), nowMs });
	if (row === undefined) return undefined;
	if (isUseDue(row, nowMs)) await noteTokenUse(tools.db, { id: row.id, nowMs, everyMs: USE_NOTED_EVERY_MS });
	const { name, role } = row;
	return { actor: `token:${name}`, name, role, admittedAtMs: nowMs, session: undefined };
}

function isUseDue(row: ApiTokenRow, nowMs: number): boolean {
	return row.last_used_at_ms === null || row.last_used_at_ms <= nowMs - USE_NOTED_EVERY_MS;
}

async function identifyUser(tools: OperatorTools, token: string): Promise<Operator | undefined> {
	const id = await readAccessToken(tools, token);
	if (id === undefined) return undefined;
	const nowMs = tools.nowMs();
	const user = await findSessionUser(tools.db, { id, nowMs });
	if (user === undefined) return undefined;
	const session = { id, userId: user.id, mustChangePassword: user.must_change_password === 1 };
	const { name, role } = user;
	return { actor: `user:${name}`, name, role, admittedAtMs: nowMs, session };
}
