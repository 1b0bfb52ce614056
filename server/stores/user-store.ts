// Users and their sessions. A user is never removed, or the audit log would tell of somebody who is not there.
import type { Insertable, Updateable } from "kysely";
import type { SessionTable, UserTable } from "./access-tables.js";
import type { Records, SessionRow, UserRow } from "./tables.js";

export async function findUser(db: Records, name: string): Promise<UserRow | undefined> {
	return db.selectFrom("users").selectAll().where("name", "=", name).executeTakeFirst();
}

export async function hasUsers(db: Records): Promise<boolean> {
	return (await db.selectFrom("users").select("id").limit(1).executeTakeFirst()) !== undefined;
}

/** In order of name. */
export async function listUsers(
	db: Records,
	page: { readonly after: string | undefined; readonly limit: number },
): Promise<UserRow[]> {
	let query = db.selectFrom("users").selectAll().orderBy("name").limit(page.limit);
	if (page.after !== undefined) query = query.where("name", ">", page.after);
	return query.execute();
}

/** Undefined when the name is taken: of two at once one is added. */
export async function addUser(db: Records, row: Insertable<UserTable>): Promise<UserRow | undefined> {
	return db
		.insertInto("users")
		.values(row)
		.onConflict((conflict) => conflict.doNothing())
		.returningAll()
		.executeTakeFirst();
}

export async function updateUser(db: Records, id: number, changes: Updateable<UserTable>): Promise<UserRow> {
	return db.updateTable("users").set(changes).where("id", "=", id).returningAll().executeTakeFirstOrThrow();
}

/** False where the user is not active, or has another password than `passwordHash`, by now. */
export async function noteLogIn(
	db: Records,
	user: { readonly id: number; readonly passwordHash: string; readonly nowMs: number },
): Promise<boolean> {
	const result = await db
		.updateTable("users")
		.set({ last_login_at_ms: user.nowMs })
		.where("id", "=", user.id)
		.where("password_hash", "=", user.passwordHash)
		.where("is_active", "=", 1)
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

/** False where the user's password is another one than `fromHash` by now: somebody was first, or an admin reset it. */
export async function changePassword(
	db: Records,
	user: { readonly id: number; readonly fromHash: string; readonly toHash: string; readonly nowMs: number },
): Promise<boolean> {
	const result = await db
		.updateTable("users")
		.set({ password_hash: user.toHash, must_change_password: 0, updated_at_ms: user.nowMs })
		.where("id", "=", user.id)
		.where("password_hash", "=", user.fromHash)
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

/** Active ones with role admin. Under the lock "users" the count holds until the transaction ends. */
export async function countAdmins(db: Records): Promise<number> {
	const { count } = await db
		.selectFrom("users")
		.select((select) => select.fn.countAll<number>().as("count"))
		.where("role", "=", "admin")
		.where("is_active", "=", 1)
		.executeTakeFirstOrThrow();
	return Number(count);
}

export async function addSession(db: Records, row: Insertable<SessionTable>): Promise<void> {
	await db.insertInto("sessions").values(row).execute();
}

export async function findSession(db: Records, id: string): Promise<SessionRow | undefined> {
	return db.selectFrom("sessions").selectAll().where("id", "=", id).executeTakeFirst();
}

/** The user of a session that is neither over nor revoked; undefined also when the user was deactivated. */
export async function findSessionUser(
	db: Records,
	session: { readonly id: string; readonly nowMs: number },
): Promise<UserRow | undefined> {
	return db
		.selectFrom("sessions")
		.innerJoin("users", "users.id", "sessions.user_id")
		.selectAll("users")
		.where("sessions.id", "=", session.id)
		.where("sessions.revoked_at_ms", "is", null)
		.where("sessions.expires_at_ms", ">", session.nowMs)
		.where("users.is_active", "=", 1)
		.executeTakeFirst();
}

/**
 * Puts the next refresh token in the place of this one; false when this one is not the session's (any more). One
 * statement, so a token is good once, however many ask at once.
 */
export async function rotateToken(
	db: Records,
	session: {
		readonly id: string;
		readonly tokenHash: string;
		readonly nextHash: string;
		readonly nowMs: number;
	},
): Promise<boolean> {
	const result = await db
		.updateTable("sessions")
		.set({ token_hash: session.nextHash })
		.where("id", "=", session.id)
		.where("token_hash", "=", session.tokenHash)
		.where("revoked_at_ms", "is", null)
		.where("expires_at_ms", ">", session.nowMs)
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

/** False when it was not open. */
export async function revokeSession(db: Records, id: string, nowMs: number): Promise<boolean> {
	const result = await db
		.updateTable("sessions")
		.set({ revoked_at_ms: nowMs })
		.where("id", "=", id)
		.where("revoked_at_ms", "is", null)
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

/** All of a user, but `exceptId` where given. */
export async function revokeSessions(
	db: Records,
	user: { readonly id: number; readonly exceptId?: string | undefined; readonly nowMs: number },
): Promise<void> {
	let query = db
		.updateTable("sessions")
		.set({ revoked_at_ms: user.nowMs })
		.where("user_id", "=", user.id)
		.where("revoked_at_ms", "is", null);
	if (user.exceptId !== undefined) query = query.where("id", "!=", user.exceptId);
	await query.execute();
}

/** Sessions that are over, and attempts that count no more. */
export async function removeExpired(
	db: Records,
	limits: { readonly sessionsBeforeMs: number; readonly attemptsBeforeMs: number },
): Promise<void> {
	await db.deleteFrom("sessions").where("expires_at_ms", "<", limits.sessionsBeforeMs).execute();
	await db.deleteFrom("login_attempts").where("window_started_at_ms", "<", limits.attemptsBeforeMs).execute();
}
