// A log-in while its user is changed: to look at a password takes long enough for that.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkCredentials } from "../../server/auth/log-in.js";
import { openSession } from "../../server/auth/sessions.js";
import { addUser, changePassword, updateUser } from "../../server/stores/user-store.js";
import { PASSWORD } from "./operators.js";
import { openTestDatabase } from "./test-database.js";

describe("a log-in whose password was right when it was checked", () => {
	const NOW_MS = 1_750_000_000_000;
	const row = {
		name: "anna",
		password_hash: "old",
		role: "admin",
		is_active: 1,
		must_change_password: 0,
		created_at_ms: NOW_MS,
		updated_at_ms: NOW_MS,
		last_login_at_ms: null,
	} as const;
	let database: Awaited<ReturnType<typeof openTestDatabase>>;
	beforeEach(async () => {
		database = await openTestDatabase();
	});
	afterEach(() => database.close());

	/** To look at a password takes a fifth of a second, longer where others wait: `change` is done by then. */
	async function logInDuring(change: (userId: number) => Promise<unknown>) {
		const { db } = database;
		const user = await addUser(db, row);
		const verify = async () => {
			await change(user?.id ?? 0);
			return true;
		};
		const tools = { db, nowMs: () => NOW_MS, jwtSecret: Buffer.alloc(32) };
		const passwords = { verify, hash: async () => "" };
		const credentials = { name: "anna", password: PASSWORD, address: "192.0.2.1" };
		const outcome = await checkCredentials({ ...tools, passwords }, credentials);
		if (outcome.kind !== "accepted") throw new Error(outcome.kind);
		const tokens = await db
			.transaction()
			.execute((transaction) => openSession(tools, transaction, outcome.user));
		return { tokens, sessions: await db.selectFrom("sessions").selectAll().execute() };
	}

	it("opens a session", async () => {
		const { tokens, sessions } = await logInDuring(async () => {});
		expect(tokens).toMatchObject({ token_type: "Bearer" });
		expect(sessions).toHaveLength(1);
	});

	it("opens none behind the answer to a change of that password, which ended all others", async () => {
		const { tokens, sessions } = await logInDuring((id) =>
			changePassword(database.db, { id, fromHash: "old", toHash: "new", nowMs: NOW_MS }),
		);
		expect(tokens).toBeUndefined();
		expect(sessions).toEqual([]);
	});

	it("opens none for a user who was deactivated meanwhile, to be good once the user is active again", async () => {
		const { tokens, sessions } = await logInDuring((id) => updateUser(database.db, id, { is_active: 0 }));
		expect(tokens).toBeUndefined();
		expect(sessions).toEqual([]);
	});
});
