// Is this name and password a user's? Bounded by name and by address over all servers, and equal in time and answer for
// names that there are and names that there are not. Called by the log-in route and by the change of a password.
import { normalizeIP } from "@fastify/rate-limit";
import { countAttempt, forgiveAttempt } from "../stores/attempt-store.js";
import type { Records, UserRow } from "../stores/tables.js";
import { findUser } from "../stores/user-store.js";
import type { Passwords } from "./passwords.js";

export const ATTEMPT_WINDOW_MS = 15 * 60_000;
/** Threat: guessing one user's password, from however many addresses. */
export const ATTEMPTS_PER_NAME = 10;
/** Threat: one password tried on many names. More than the users behind one address mistype. */
export const ATTEMPTS_PER_ADDRESS = 50;

export interface LogInTools {
	readonly db: Records;
	readonly passwords: Passwords;
	readonly nowMs: () => number;
}

export interface Credentials {
	readonly name: string;
	readonly password: string;
	readonly address: string;
}

export type LogIn =
	| { readonly kind: "accepted"; readonly user: UserRow }
	| { readonly kind: "refused"; readonly isNameKnown: boolean }
	| { readonly kind: "locked"; readonly retryAfterS: number };

/**
 * Attempts are counted before the password is looked at, so that many at once are no way round. A name that is locked
 * answers alike whether a user has it; sessions that are open, and tokens, are not touched by it.
 */
export async function checkCredentials(tools: LogInTools, credentials: Credentials): Promise<LogIn> {
	const { db, passwords } = tools;
	const nowMs = tools.nowMs();
	// Of IPv6 the network of 64 bits, as the rate limits have it: a household has that many addresses.
	const address = normalizeIP(credentials.address);
	const keys = { name: `name:${credentials.name}`, address: `address:${address}` };
	const lockedUntilMs = await countAttempts(db, keys, nowMs);
	if (lockedUntilMs !== undefined)
		return { kind: "locked", retryAfterS: Math.ceil((lockedUntilMs - nowMs) / 1000) };
	const user = await findUser(db, credentials.name);
	const isRight = await passwords.verify(credentials.password, user?.password_hash);
	if (user === undefined || !isRight || user.is_active !== 1)
		return { kind: "refused", isNameKnown: user !== undefined };
	await forgiveAttempt(db, keys);
	return { kind: "accepted", user };
}

/** Undefined: within the limits. */
async function countAttempts(
	db: Records,
	keys: { readonly name: string; readonly address: string },
	nowMs: number,
): Promise<number | undefined> {
	const window = { windowMs: ATTEMPT_WINDOW_MS, nowMs };
	// The address first: one that is locked can use up nobody's name.
	const byAddress = await countAttempt(db, { key: keys.address, max: ATTEMPTS_PER_ADDRESS, ...window });
	if (byAddress.count > ATTEMPTS_PER_ADDRESS) return byAddress.windowEndsAtMs;
	const byName = await countAttempt(db, { key: keys.name, max: ATTEMPTS_PER_NAME, ...window });
	return byName.count > ATTEMPTS_PER_NAME ? byName.windowEndsAtMs : undefined;
}
