// API tokens, by the hash of what their holders show.
import { type Insertable, sql } from "kysely";
import type { ApiTokenTable } from "./access-tables.js";
import type { ApiTokenRow, Records } from "./tables.js";

/** Before the name of a user in `created_by`; else it is `token:` and its name. */
const USER_PREFIX = "user:";

/** Undefined when it is unknown or over, or who made it is a user that was deactivated since. */
export async function findApiToken(
	db: Records,
	token: { readonly hash: string; readonly nowMs: number },
): Promise<ApiTokenRow | undefined> {
	return db
		.selectFrom("api_tokens")
		.selectAll()
		.where("token_hash", "=", token.hash)
		.where("expires_at_ms", ">", token.nowMs)
		.where(({ not, exists, selectFrom }) =>
			not(
				exists(
					selectFrom("users")
						.select("users.id")
						.where("is_active", "=", 0)
						.where("users.name", "=", sql<string>`substr(api_tokens.created_by, ${USER_PREFIX.length + 1})`)
						.where("api_tokens.created_by", "like", `${USER_PREFIX}%`),
				),
			),
		)
		.executeTakeFirst();
}

/** Undefined when the name is taken. */
export async function addApiToken(
	db: Records,
	row: Insertable<ApiTokenTable>,
): Promise<ApiTokenRow | undefined> {
	return db
		.insertInto("api_tokens")
		.values(row)
		.onConflict((conflict) => conflict.doNothing())
		.returningAll()
		.executeTakeFirst();
}

/** In rising order of id, those that are over included. */
export async function listApiTokens(
	db: Records,
	page: { readonly after: number; readonly limit: number },
): Promise<ApiTokenRow[]> {
	return db
		.selectFrom("api_tokens")
		.selectAll()
		.where("id", ">", page.after)
		.orderBy("id")
		.limit(page.limit)
		.execute();
}

/** The row that was removed; undefined when there is none. */
export async function removeApiToken(db: Records, id: number): Promise<ApiTokenRow | undefined> {
	return db.deleteFrom("api_tokens").where("id", "=", id).returningAll().executeTakeFirst();
}

/** Notes the use, once a minute at most: a write for each request would cost more than the request. */
export async function noteTokenUse(
	db: Records,
	token: { readonly id: number; readonly nowMs: number; readonly everyMs: number },
): Promise<void> {
	await db
		.updateTable("api_tokens")
		.set({ last_used_at_ms: token.nowMs })
		.where("id", "=", token.id)
		.where((where) =>
			where.or([
				where("last_used_at_ms", "is", null),
				where("last_used_at_ms", "<=", token.nowMs - token.everyMs),
			]),
		)
		.execute();
}
