// Sessions: what a log-in opens, what keeps it open, what ends it. Called by the log-in routes.
import { randomBytes } from "node:crypto";
import type { Records, UserRow } from "../stores/tables.js";
import {
	addSession,
	findSession,
	findSessionUser,
	noteLogIn,
	revokeSession,
	rotateToken,
} from "../stores/user-store.js";
import { ACCESS_TOKEN_S, signAccessToken } from "./access-tokens.js";
import { sha256Hex } from "./device-keys.js";

/** From the log-in on, however often it is refreshed. */
export const SESSION_MS = 30 * 86_400_000;
const ID_BYTES = 16;
const SECRET_BYTES = 32;
const REFRESH_TOKEN_PATTERN = /^([0-9a-f]{32})\.[\w-]{43}$/;
export const REFRESH_TOKEN_SCHEMA_PATTERN = REFRESH_TOKEN_PATTERN.source;

export interface SessionTools {
	readonly db: Records;
	readonly jwtSecret: Uint8Array;
	readonly nowMs: () => number;
}

/** What a user's program holds; field names of RFC 6749 §5.1. */
export interface SessionTokens {
	readonly access_token: string;
	readonly token_type: "Bearer";
	/** Of the access token, in seconds. */
	readonly expires_in: number;
	/** Good once. */
	readonly refresh_token: string;
	/** Of the session. */
	readonly session_expires_at: string;
	readonly must_change_password: boolean;
}

/**
 * Notes the log-in of the user whose password was checked, within a transaction. Undefined where the user was deactivated
 * since, or has another password: whoever changed that has ended all sessions there were. (Threat: somebody who knows the
 * old password logs in at that moment, and stays.)
 */
export async function openSession(
	tools: SessionTools,
	transaction: Records,
	user: UserRow,
): Promise<SessionTokens | undefined> {
	const nowMs = tools.nowMs();
	if (!(await noteLogIn(transaction, { id: user.id, passwordHash: user.password_hash, nowMs })))
		return undefined;
	const id = randomBytes(ID_BYTES).toString("hex");
	const refreshToken = newRefreshToken(id);
	const expiresAtMs = nowMs + SESSION_MS;
	await addSession(transaction, {
		id,
		user_id: user.id,
		token_hash: sha256Hex(refreshToken),
		created_at_ms: nowMs,
		expires_at_ms: expiresAtMs,
		revoked_at_ms: null,
	});
	return tokensOf(tools, { id, refreshToken, expiresAtMs, user });
}

export type Refreshed =
	| { readonly kind: "refreshed"; readonly tokens: SessionTokens }
	| { readonly kind: "refused" }
	/** A token that was used before: the session is revoked. */
	| { readonly kind: "reused"; readonly userName: string | undefined };

/**
 * Threat: a refresh token that was stolen. Whoever uses it second, thief or owner, shows one that is no longer the
 * session's; which of the two it is cannot be told, so the session ends for both (RFC 9700 §4.14.2).
 */
export async function refreshSession(tools: SessionTools, refreshToken: string): Promise<Refreshed> {
	const nowMs = tools.nowMs();
	const id = sessionIdOf(refreshToken);
	if (id === undefined) return { kind: "refused" };
	const user = await findSessionUser(tools.db, { id, nowMs });
	const session = await findSession(tools.db, id);
	if (user === undefined || session === undefined) return { kind: "refused" };
	const nextToken = newRefreshToken(id);
	const hashes = { tokenHash: sha256Hex(refreshToken), nextHash: sha256Hex(nextToken) };
	if (await rotateToken(tools.db, { id, ...hashes, nowMs })) {
		const known = { id, refreshToken: nextToken, expiresAtMs: session.expires_at_ms, user };
		return { kind: "refreshed", tokens: await tokensOf(tools, known) };
	}
	const isRevokedNow = await revokeSession(tools.db, id, nowMs);
	return isRevokedNow ? { kind: "reused", userName: user.name } : { kind: "refused" };
}

/** Ends the session; nothing happens when it is over, or the token is not one of it. */
export async function endSession(tools: SessionTools, refreshToken: string): Promise<void> {
	const id = sessionIdOf(refreshToken);
	if (id !== undefined) await revokeSession(tools.db, id, tools.nowMs());
}

function sessionIdOf(refreshToken: string): string | undefined {
	return REFRESH_TOKEN_PATTERN.exec(refreshToken)?.[1];
}

// The session's id is no secret of its own, but 128 random bits that only its holder was given.
function newRefreshToken(sessionId: string): string {
	return `${sessionId}.${randomBytes(SECRET_BYTES).toString("base64url")}`;
}

async function tokensOf(
	tools: SessionTools,
	session: {
		readonly id: string;
		readonly refreshToken: string;
		readonly expiresAtMs: number;
		readonly user: UserRow;
	},
): Promise<SessionTokens> {
	return {
		access_token: await signAccessToken(tools, session.id),
		token_type: "Bearer",
		expires_in: ACCESS_TOKEN_S,
		refresh_token: session.refreshToken,
		session_expires_at: new Date(session.expiresAtMs).toISOString(),
		must_change_password: session.user.must_change_password === 1,
	};
}
