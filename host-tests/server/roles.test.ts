// Every operator route with every role: who may not gets nothing, and the security log has it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAllowed, ROLES, type Role } from "../../server/domain/role.js";
import { isStream, type NamedOperation, operationsOf, readDocument } from "./openapi-document.js";
import { callAs, makeToken, makeUser } from "./operators.js";
import { problemOf, ServerRig } from "./server-rig.js";

let rig: ServerRig;
let operations: NamedOperation[];
/** Of users who are logged in. */
const tokens = new Map<Role, string>();
beforeAll(async () => {
	rig = await ServerRig.create({ every: () => () => {} });
	operations = operationsOf(await readDocument(rig)).filter(
		({ operation }) => operation["x-required-role"] !== undefined,
	);
	for (const role of ROLES) tokens.set(role, (await makeUser(rig, `a-${role}`, role)).access_token);
});
afterAll(() => rig.close());

/** Nothing has such an id or name: what may be called finds nothing to change. */
const urlOf = ({ path }: NamedOperation) => path.replaceAll(/\{[a-z_]+\}/g, "999999");
const nameOf = ({ method, path }: NamedOperation) => `${method} ${path}`;
const namesFor = (role: Role) =>
	operations
		.filter(({ operation }) => operation["x-required-role"] === role)
		.map(nameOf)
		.sort();

describe("a role", () => {
	it("opens the routes that need it or less, and no other", async () => {
		expect(operations.length).toBeGreaterThan(40);
		let refusedCount = 0;
		for (const named of operations) {
			const needed = named.operation["x-required-role"] ?? "admin";
			for (const role of ROLES) {
				if (isAllowed(role, needed) && isStream(named)) continue;
				// Each minute has room for so many security events: one call a second leaves none out.
				rig.clock.nowMs += 1000;
				const answer = await callAs(rig, tokens.get(role), urlOf(named), { method: named.method as "GET" });
				const outcome = answer.statusCode === 403 ? problemOf(answer) : "";
				const expected = isAllowed(role, needed) ? "" : "403 forbidden";
				if (expected !== "") refusedCount++;
				expect([role, nameOf(named), outcome]).toEqual([role, nameOf(named), expected]);
				expect(answer.statusCode).not.toBe(401);
				expect(answer.statusCode).toBeLessThan(500);
			}
		}
		expect((await rig.eventTypes("security", "&type=access_denied")).length).toBe(refusedCount);
	});

	it("is asked of everybody: without a token, or with a wrong one, no route opens", async () => {
		for (const named of operations) {
			const call = { method: named.method as "GET" };
			expect(problemOf(await callAs(rig, undefined, urlOf(named), call))).toBe("401 auth-missing");
			expect(problemOf(await callAs(rig, `fota_${"x".repeat(43)}`, urlOf(named), call))).toBe(
				"401 auth-failed",
			);
		}
	});

	it("of a token counts as that of a user", async () => {
		const token = await makeToken(rig, "a-token", "operator");
		expect(problemOf(await callAs(rig, token, "/api/users"))).toBe("403 forbidden");
		expect((await callAs(rig, token, "/api/cloud/fota/releases")).statusCode).toBe(200);
	});

	it("that does not suffice is written to the security log, with who wanted what", async () => {
		rig.clock.nowMs += 120_000;
		await callAs(rig, tokens.get("viewer"), "/api/audit");
		const { events } = (await rig.get("/api/cloud/logs/security?type=access_denied&limit=1")).json();
		expect(events[0].details).toMatchObject({
			actor: "user:a-viewer",
			role: "viewer",
			needed: "admin",
			method: "GET",
			path: "/api/audit",
		});
	});

	it("viewer changes nothing, and nothing that is secret needs less than admin", () => {
		const changing = namesFor("viewer").filter((name) => !name.startsWith("GET "));
		expect(changing).toEqual(["POST /api/auth/password"]);
		const isSecret = (name: string) =>
			/\/api\/(users|tokens|audit|webhooks)|\/key$|\/release-keys$/.test(name);
		const open = [...namesFor("viewer"), ...namesFor("operator")].filter(isSecret);
		// Public keys are public.
		expect(open).toEqual(["GET /api/cloud/fota/release-keys"]);
		expect(namesFor("admin")).toContain("POST /api/cloud/fota/devices");
	});
});

describe("a route that names no role", () => {
	it("stops the start", async () => {
		const { default: Fastify } = await import("fastify");
		const { registerAdminRoutes } = await import("../../server/routes/admin-scope.js");
		const server = Fastify();
		await expect(
			server.register(async (scope) => {
				await registerAdminRoutes(scope as never, { maxUploadBytes: 1000 } as never);
				scope.get("/forgotten", async () => "open to nobody");
			}),
		).rejects.toThrow(/GET \/forgotten names no role/);
	});
});
