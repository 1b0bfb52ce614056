// Who does a bearer token belong to? A user's session, an API token, or the admin token. Called by the hook of the
// operator routes for every request.
//
// The session, the user's role and whether the user is active are read from the database each time, one indexed read
// (or two): a user who was deactivated or lost a role, a session that was revoked, have lost it at once and on every
// server. Operators ask rarely; a cache would save nothing that is felt.

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

export interface OperatorTools {
	readonly db: Records;
	readonly jwtSecret: Uint8Array;
	/** Undefined where it is switched off. */
	readonly adminToken: string | undefined;
	readonly nowMs: () => number;
}

export async function identifyOperator(tools: OperatorTools, token: string): Promise<Operator | undefined> {
	if (tools.adminToken !== undefined && isAdminToken(token, tools.adminToken))
		return {
			actor: `token:${ADMIN_TOKEN_NAME}`,
			name: ADMIN_TOKEN_NAME,
			role: "admin",
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
	return { actor: `token:${row.name}`, name: row.name, role: row.role, session: undefined };
}

function isUseDue(row: ApiTokenRow, nowMs: number): boolean {
	return row.last_used_at_ms === null || row.last_used_at_ms <= nowMs - USE_NOTED_EVERY_MS;
}

async function identifyUser(tools: OperatorTools, token: string): Promise<Operator | undefined> {
	const id = await readAccessToken(tools, token);
	if (id === undefined) return undefined;
	const user = await findSessionUser(tools.db, { id, nowMs: tools.nowMs() });
	if (user === undefined) return undefined;
	const session = { id, userId: user.id, mustChangePassword: user.must_change_password === 1 };
	return { actor: `user:${user.name}`, name: user.name, role: user.role, session };
}
