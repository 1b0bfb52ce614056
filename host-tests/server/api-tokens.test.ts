// API tokens, and the admin token among them.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callAs, logIn, makeToken, makeUser } from "./operators.js";
import { ADMIN_TOKEN, problemOf, ServerRig } from "./server-rig.js";

let rig: ServerRig;
beforeAll(async () => {
	rig = await ServerRig.create();
});
afterAll(() => rig.close());

const remove = (id: number) => callAs(rig, ADMIN_TOKEN, `/api/tokens/${id}`, { method: "DELETE" });

describe("an API token", () => {
	it("is shown once, begins with fota_, and acts with its role under its name", async () => {
		const made = await rig.post("/api/tokens", { name: "ci", role: "operator", expires_in_days: 30 });
		expect(made.statusCode).toBe(201);
		expect(made.headers["cache-control"]).toBe("no-store");
		const { token } = made.json();
		expect(token).toMatch(/^fota_[\w-]{43}$/);
		const me = await callAs(rig, token, "/api/auth/me");
		expect(me.json()).toEqual({ kind: "token", name: "ci", role: "operator", must_change_password: false });
		const list = await rig.get("/api/tokens");
		expect(list.body).not.toContain(token);
		expect(list.json().tokens).toContainEqual(
			expect.objectContaining({ name: "ci", role: "operator", created_by: "token:admin-token" }),
		);
		const { lines } = (await rig.get("/api/audit?action=token.create")).json();
		expect(lines.at(-1)).toMatchObject({ actor: "token:admin-token", target: "token:ci" });
		expect(JSON.stringify(lines)).not.toContain(token);
	});

	it("is good until it is over or taken back", async () => {
		const token = await makeToken(rig, "short", "viewer", 1);
		const ask = () => callAs(rig, token, "/api/auth/me");
		expect((await ask()).statusCode).toBe(200);
		rig.clock.nowMs += 86_400_000;
		expect(problemOf(await ask())).toBe("401 auth-failed");

		const other = await rig.post("/api/tokens", { name: "other", role: "viewer", expires_in_days: 365 });
		expect((await remove(other.json().id)).statusCode).toBe(204);
		expect(problemOf(await callAs(rig, other.json().token, "/api/auth/me"))).toBe("401 auth-failed");
		expect(problemOf(await remove(other.json().id))).toBe("404 not-found");
	});

	it("is worth nothing while the user who made it is deactivated", async () => {
		// The last active admin cannot be deactivated.
		await makeUser(rig, "other-boss", "admin");
		await makeUser(rig, "boss", "admin");
		const session = (await logIn(rig, "boss")).json().access_token;
		const payload = { name: "of-boss", role: "admin", expires_in_days: 30 };
		const { token } = (await callAs(rig, session, "/api/tokens", { method: "POST", payload })).json();
		const ask = async () => (await callAs(rig, token, "/api/auth/me")).statusCode;
		expect(await ask()).toBe(200);
		await rig.change("PATCH", "/api/users/boss", { is_active: false });
		expect(await ask()).toBe(401);
		await rig.change("PATCH", "/api/users/boss", { is_active: true });
		expect(await ask()).toBe(200);
	});

	it("has its last use noted once a minute at most", async () => {
		const token = await makeToken(rig, "used", "viewer", 10);
		const lastUsed = async () => {
			await callAs(rig, token, "/api/auth/me");
			const { tokens } = (await rig.get("/api/tokens")).json();
			const { last_used_at: text } = tokens.find((row: { name: string }) => row.name === "used");
			return Date.parse(text);
		};
		const firstMs = rig.clock.nowMs;
		expect(await lastUsed()).toBe(firstMs);
		rig.clock.nowMs += 59_999;
		expect(await lastUsed()).toBe(firstMs);
		rig.clock.nowMs += 1;
		expect(await lastUsed()).toBe(firstMs + 60_000);
	});

	it("has a name of its own, never the admin token's, and no password", async () => {
		const token = await makeToken(rig, "unique", "viewer");
		const again = (name: string) => rig.post("/api/tokens", { name, role: "viewer", expires_in_days: 1 });
		expect(problemOf(await again("unique"))).toBe("409 name-taken");
		expect(problemOf(await again("admin-token"))).toBe("409 name-taken");
		const change = { current_password: "x", new_password: "a password of the tests" };
		const answer = await callAs(rig, token, "/api/auth/password", { method: "POST", payload: change });
		expect(problemOf(answer)).toBe("403 forbidden");
	});

	it.each([
		{ name: "x", role: "viewer" },
		{ name: "x", role: "root", expires_in_days: 1 },
		{ name: "x", role: "viewer", expires_in_days: 366 },
		{ name: "x", role: "viewer", expires_in_days: 0 },
		{ name: "a b", role: "viewer", expires_in_days: 1 },
	])("is not made of %j", async (body) => {
		expect(problemOf(await rig.post("/api/tokens", body))).toBe("400 request-malformed");
	});
});

describe("the admin token", () => {
	it("can be switched off", async () => {
		const closed = await ServerRig.create({ adminToken: false });
		expect(closed.app.adminToken).toBe("");
		expect(problemOf(await closed.get("/api/users"))).toBe("401 auth-failed");
		for (const authorization of ["Bearer ", "Bearer undefined", "Bearer false"])
			expect((await closed.server.inject({ url: "/api/users", headers: { authorization } })).statusCode).toBe(
				401,
			);
		await closed.close();
	});
});
