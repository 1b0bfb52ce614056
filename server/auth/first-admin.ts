// The first user, made where there is none: without it nobody could log in. Called by main.ts through app.ts at every start.
import { appendAudit } from "../stores/audit-store.js";
import type { Records } from "../stores/tables.js";
import { addUser, hasUsers } from "../stores/user-store.js";
import { makeOneTimePassword, type Passwords } from "./passwords.js";

export const FIRST_ADMIN_NAME = "admin";

export interface FirstAdminTools {
	readonly db: Records;
	readonly passwords: Passwords;
	readonly nowMs: () => number;
}

/**
 * The one-time password of the user that was made; undefined when there are users. Of several servers that start at once
 * one makes it: the name is unique.
 */
export async function makeFirstAdmin(tools: FirstAdminTools): Promise<string | undefined> {
	const { db, passwords } = tools;
	if (await hasUsers(db)) return undefined;
	const password = makeOneTimePassword();
	const passwordHash = await passwords.hash(password);
	const nowMs = tools.nowMs();
	return db.transaction().execute(async (transaction) => {
		const user = await addUser(transaction, {
			name: FIRST_ADMIN_NAME,
			password_hash: passwordHash,
			role: "admin",
			is_active: 1,
			must_change_password: 1,
			created_at_ms: nowMs,
			updated_at_ms: nowMs,
			last_login_at_ms: null,
		});
		if (user === undefined) return undefined;
		const target = `user:${FIRST_ADMIN_NAME}`;
		await appendAudit(transaction, { actor: "server", action: "user.create", target, nowMs });
		return password;
	});
}
