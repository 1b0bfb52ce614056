// Users: the first one, logging in, staying logged in, and losing it.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { callAs, logIn, makeUser, PASSWORD } from "./operators.js";
import { ADMIN_TOKEN, createRigApp, problemOf, ServerRig } from "./server-rig.js";
import { databaseKind, testDatabase } from "./test-database.js";

let rig: ServerRig;
let first: string;
beforeEach(async () => {
	rig = await ServerRig.create();
	first = (await rig.app.makeFirstAdmin()) ?? "";
});
afterEach(() => rig.close());

const ME = "/api/auth/me";
const me = (token: string) => callAs(rig, token, ME);
const post = (url: string, payload: object, token?: string) =>
	callAs(rig, token, url, { method: "POST", payload });
const patch = (name: string, payload: object, token = ADMIN_TOKEN) =>
	callAs(rig, token, `/api/users/${name}`, { method: "PATCH", payload });

describe("the first user", () => {
	it("is an admin with a one-time password that opens nothing but its own change", async () => {
		expect(first).toMatch(/^[a-z2-9]{6}(-[a-z2-9]{6}){3}$/);
		const login = await logIn(rig, "admin", first);
		expect(login.json()).toMatchObject({ token_type: "Bearer", expires_in: 600, must_change_password: true });
		expect(login.headers["cache-control"]).toBe("no-store");
		const token = login.json().access_token;
		expect(problemOf(await callAs(rig, token, "/api/users"))).toBe("403 password-change-needed");
		expect((await me(token)).json()).toMatchObject({
			name: "admin",
			role: "admin",
			must_change_password: true,
		});
		const change = { current_password: first, new_password: PASSWORD };
		expect((await post("/api/auth/password", change, token)).statusCode).toBe(204);
		expect((await callAs(rig, token, "/api/users")).statusCode).toBe(200);
		expect(problemOf(await logIn(rig, "admin", first))).toBe("401 auth-failed");
		expect((await logIn(rig, "admin")).json().must_change_password).toBe(false);
	});

	it("is made once", async () => {
		expect(await rig.app.makeFirstAdmin()).toBeUndefined();
	});

	it.runIf(databaseKind === "PostgreSQL")("is one, however many servers start at once", async () => {
		const database = await testDatabase();
		const started = await Promise.all(
			Array.from({ length: 3 }, () => createRigApp({ databaseUrl: database.url })),
		);
		const made = await Promise.all(started.map(({ app }) => app.makeFirstAdmin()));
		expect(made.filter((password) => password !== undefined)).toHaveLength(1);
		const [one] = started.map((server) => new ServerRig(server));
		const { users } = (await one?.get("/api/users"))?.json() ?? {};
		expect(users.map((user: { name: string }) => user.name)).toEqual(["admin"]);
		for (const { app } of started) await app.close();
		await database.remove();
	});
});

describe("a log-in", () => {
	it("is refused alike for a wrong password, an unknown name and a user who is not active", async () => {
		await makeUser(rig, "anna", "viewer");
		await makeUser(rig, "ben", "viewer");
		await patch("ben", { is_active: false });
		const answers = [await logIn(rig, "anna", "wrong"), await logIn(rig, "nobody"), await logIn(rig, "ben")];
		for (const answer of answers) expect(problemOf(answer)).toBe("401 auth-failed");
		expect(new Set(answers.map((answer) => answer.body)).size).toBe(1);
		const { events } = (await rig.get("/api/cloud/logs/security?type=login_failed")).json();
		expect(events.map((event: { details: { name?: string } }) => event.details.name)).toEqual([
			"anna",
			undefined,
			"ben",
		]);
	});

	it("is locked after ten attempts of a name, the right password included, until the window is over", async () => {
		await makeUser(rig, "anna", "viewer");
		for (let i = 0; i < 10; i++) expect((await logIn(rig, "anna", "wrong")).statusCode).toBe(401);
		const locked = await logIn(rig, "anna");
		expect(problemOf(locked)).toBe("429 rate-limited");
		expect(locked.headers["retry-after"]).toBe("900");
		rig.clock.nowMs += 14 * 60_000;
		expect((await logIn(rig, "anna")).headers["retry-after"]).toBe("60");
		rig.clock.nowMs += 60_000;
		expect((await logIn(rig, "anna")).statusCode).toBe(200);
	});

	it("counts many attempts at once one by one", async () => {
		await makeUser(rig, "anna", "viewer");
		const answers = await Promise.all(Array.from({ length: 20 }, () => logIn(rig, "anna", "wrong")));
		const statuses = answers.map((answer) => answer.statusCode).sort();
		expect(statuses).toEqual([...Array(10).fill(401), ...Array(10).fill(429)]);
	});

	it("locks a name that nobody has in the same way", async () => {
		for (let i = 0; i < 10; i++) expect((await logIn(rig, "nobody")).statusCode).toBe(401);
		expect(problemOf(await logIn(rig, "nobody"))).toBe("429 rate-limited");
	});

	it("is locked for an address that tries many names, and a success gives its attempt back", async () => {
		await makeUser(rig, "anna", "viewer");
		for (let i = 0; i < 60; i++) expect((await logIn(rig, "anna")).statusCode).toBe(200);
		for (let i = 0; i < 50; i++) expect((await logIn(rig, `name-${i}`)).statusCode).toBe(401);
		expect(problemOf(await logIn(rig, "anna"))).toBe("429 rate-limited");
		const from = (remoteAddress: string, name: string) => {
			const payload = { name, password: PASSWORD };
			return rig.server.inject({ url: "/api/auth/login", method: "POST", remoteAddress, payload });
		};
		expect((await from("192.0.2.9", "anna")).statusCode).toBe(200);
		// Whoever has one address of IPv6 has 2^64.
		for (let i = 0; i < 50; i++) await from(`2001:db8::${i}`, `other-${i}`);
		expect(problemOf(await from("2001:db8::abcd", "anna"))).toBe("429 rate-limited");
	});

	it.each([
		{},
		{ name: "anna" },
		{ name: "anna", password: "" },
		{ name: "Anna", password: "x" },
		{ name: "anna", password: "x".repeat(129) },
		{ name: "anna", password: "x", role: "admin" },
		{ name: ["anna"], password: "x" },
	])("with %j is refused before anything is counted", async (body) => {
		expect(problemOf(await post("/api/auth/login", body))).toBe("400 request-malformed");
	});
});

describe("a session", () => {
	it("ends its access tokens after ten minutes, and goes on with a refresh token that is good once", async () => {
		const first = await makeUser(rig, "anna", "operator");
		expect((await me(first.access_token)).json()).toMatchObject({
			kind: "user",
			name: "anna",
			role: "operator",
		});
		rig.clock.nowMs += 600_000;
		expect(problemOf(await me(first.access_token))).toBe("401 auth-failed");
		const second = (await post("/api/auth/refresh", { refresh_token: first.refresh_token })).json();
		expect((await me(second.access_token)).statusCode).toBe(200);
		expect(second.refresh_token).not.toBe(first.refresh_token);
	});

	it("ends when a refresh token comes a second time: one of the two was a thief", async () => {
		const stolen = await makeUser(rig, "anna", "operator");
		const refresh = (token: string) => post("/api/auth/refresh", { refresh_token: token });
		const thief = (await refresh(stolen.refresh_token)).json();
		expect(problemOf(await refresh(stolen.refresh_token))).toBe("401 auth-failed");
		expect(problemOf(await refresh(thief.refresh_token))).toBe("401 auth-failed");
		expect(problemOf(await me(thief.access_token))).toBe("401 auth-failed");
		expect(await rig.eventTypes("security", "&type=refresh_token_reused")).toHaveLength(1);
	});

	it("refreshes once of many at once", async () => {
		const { refresh_token } = await makeUser(rig, "anna", "operator");
		const answers = await Promise.all(
			Array.from({ length: 6 }, () => post("/api/auth/refresh", { refresh_token })),
		);
		expect(answers.filter((answer) => answer.statusCode === 200).length).toBeLessThanOrEqual(1);
	});

	it("is over after thirty days, however often it was refreshed", async () => {
		let { refresh_token } = await makeUser(rig, "anna", "operator");
		for (let day = 0; day < 30; day += 10) {
			const answer = await post("/api/auth/refresh", { refresh_token });
			expect(answer.statusCode).toBe(200);
			refresh_token = answer.json().refresh_token;
			rig.clock.nowMs += 10 * 86_400_000;
		}
		expect(problemOf(await post("/api/auth/refresh", { refresh_token }))).toBe("401 auth-failed");
	});

	it("ends at once with a log-out, which says nothing of tokens it does not know", async () => {
		const { access_token, refresh_token } = await makeUser(rig, "anna", "operator");
		const unknown = `${"0".repeat(32)}.${"A".repeat(43)}`;
		for (const token of [unknown, refresh_token, refresh_token])
			expect((await post("/api/auth/logout", { refresh_token: token })).statusCode).toBe(204);
		expect(problemOf(await me(access_token))).toBe("401 auth-failed");
		expect(problemOf(await post("/api/auth/refresh", { refresh_token }))).toBe("401 auth-failed");
	});

	it("is not made of a token that somebody else signed, or that is signed in another way", async () => {
		const { access_token } = await makeUser(rig, "anna", "operator");
		const [, payload = "", signature] = access_token.split(".");
		const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url");
		const jwt = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString("base64url");
		for (const token of [
			`${none}.${payload}.`,
			`${none}.${payload}.${signature}`,
			`${jwt}.${payload}.${signature}`,
			`${access_token.slice(0, -2)}AA`,
			"a.b.c",
			"..",
		])
			expect(problemOf(await me(token))).toBe("401 auth-failed");
	});
});

describe("a user", () => {
	it("loses role and access at once, and with the password all other sessions", async () => {
		const { access_token } = await makeUser(rig, "anna", "admin");
		expect((await callAs(rig, access_token, "/api/users")).statusCode).toBe(200);
		await patch("anna", { role: "viewer" });
		expect(problemOf(await callAs(rig, access_token, "/api/users"))).toBe("403 forbidden");
		await patch("anna", { is_active: false });
		expect(problemOf(await me(access_token))).toBe("401 auth-failed");
		await patch("anna", { is_active: true });
		expect(problemOf(await me(access_token))).toBe("401 auth-failed");

		const [one, other] = [(await logIn(rig, "anna")).json(), (await logIn(rig, "anna")).json()];
		const change = { current_password: PASSWORD, new_password: "another password" };
		expect((await post("/api/auth/password", change, one.access_token)).statusCode).toBe(204);
		expect((await me(one.access_token)).statusCode).toBe(200);
		expect(problemOf(await me(other.access_token))).toBe("401 auth-failed");
	});

	it("whose password is reset is logged out and gets a one-time password", async () => {
		const { access_token } = await makeUser(rig, "anna", "viewer");
		const reset = (await patch("anna", { reset_password: true })).json();
		expect(reset.user).toMatchObject({ name: "anna", must_change_password: true });
		expect(problemOf(await me(access_token))).toBe("401 auth-failed");
		expect(problemOf(await logIn(rig, "anna"))).toBe("401 auth-failed");
		expect((await logIn(rig, "anna", reset.one_time_password)).json().must_change_password).toBe(true);
	});

	it("changes the password only by saying the one before, and to one that is long and new", async () => {
		const { access_token } = await makeUser(rig, "anna", "viewer");
		const change = (current_password: string, new_password: string) =>
			post("/api/auth/password", { current_password, new_password }, access_token);
		expect(problemOf(await change("wrong", "another password"))).toBe("401 auth-failed");
		expect(problemOf(await change(PASSWORD, PASSWORD))).toBe("400 request-malformed");
		expect(problemOf(await change(PASSWORD, "too short"))).toBe("400 request-malformed");
		expect(problemOf(await change(PASSWORD, "password-of-Anna"))).toBe("400 request-malformed");
		expect((await change(PASSWORD, "another password")).statusCode).toBe(204);
	});

	it("changes the password once of two that change the same one at once", async () => {
		const { access_token } = await makeUser(rig, "anna", "viewer");
		const change = (new_password: string) =>
			post("/api/auth/password", { current_password: PASSWORD, new_password }, access_token);
		const answers = await Promise.all([change("a password of one"), change("a password of another")]);
		expect(answers.map((answer) => answer.statusCode).sort()).toEqual([204, 401]);
	});

	it("has a name of its own, is listed without secrets, and is not found where there is none", async () => {
		const body = { name: "anna", role: "viewer" };
		expect((await rig.post("/api/users", body)).statusCode).toBe(201);
		expect(problemOf(await rig.post("/api/users", body))).toBe("409 name-taken");
		const list = await rig.get("/api/users");
		expect(list.json().users.map((user: { name: string }) => user.name)).toEqual(["admin", "anna"]);
		expect(list.body).not.toMatch(/scrypt|password_hash/);
		expect((await rig.get("/api/users?after=admin&limit=1")).json().users[0].name).toBe("anna");
		expect(problemOf(await patch("nobody", { role: "admin" }))).toBe("404 not-found");
	});

	it("who is the last active admin stays one, also when two admins demote each other at once", async () => {
		expect(problemOf(await patch("admin", { role: "operator" }))).toBe("409 last-admin");
		expect(problemOf(await patch("admin", { is_active: false }))).toBe("409 last-admin");
		await makeUser(rig, "anna", "admin");
		const answers = await Promise.all([
			patch("admin", { role: "viewer" }),
			patch("anna", { is_active: false }),
		]);
		expect(answers.map((answer) => answer.statusCode).sort()).toEqual([200, 409]);
	});
});
