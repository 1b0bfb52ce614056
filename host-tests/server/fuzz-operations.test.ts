// Requests made of the OpenAPI document, to every route with every role: never a fault of the server, never an answer for
// a role that may not, and what is answered is what the document says. A failure prints the seed that replays it.
import fc from "fast-check";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAllowed, ROLES, type Role } from "../../server/domain/role.js";
import {
	isStream,
	type NamedOperation,
	operationsOf,
	type RequestParts,
	readDocument,
	requestOf,
} from "./openapi-document.js";
import { callAs, makeUser } from "./operators.js";
import { ADMIN_TOKEN, ServerRig } from "./server-rig.js";

/** For each role. */
const RUNS_PER_ROUTE = 8;
const RUNS_OF_A_DEVICE = 60;

let rig: ServerRig;
let operations: NamedOperation[];
const tokens = new Map<Role, string>([["admin", ADMIN_TOKEN]]);
beforeAll(async () => {
	// No regular work: webhooks that are made here call nobody.
	rig = await ServerRig.create({ every: () => () => {}, rateLimits: { perAddress: 0, perDevice: 0 } });
	await rig.device();
	await rig.publish();
	operations = operationsOf(await readDocument(rig));
	for (const role of ["viewer", "operator"] as const)
		tokens.set(role, (await makeUser(rig, `fuzz-${role}`, role)).access_token);
});
afterAll(() => rig.close());

function expectTrue({ operation, path }: NamedOperation, answer: Awaited<ReturnType<typeof callAs>>): void {
	const { statusCode } = answer;
	expect([path, statusCode, statusCode < 500]).toEqual([path, statusCode, true]);
	const isProblem = statusCode >= 400;
	const type = String(answer.headers["content-type"] ?? "").split(";", 1)[0] ?? "";
	if (isProblem) {
		expect(type).toBe("application/problem+json");
		expect(answer.json()).toMatchObject({ status: statusCode, code: expect.stringMatching(/^[a-z-]+$/) });
		return;
	}
	expect([path, Object.keys(operation.responses)]).toEqual([
		path,
		expect.arrayContaining([String(statusCode)]),
	]);
	const schema = operation.responses[statusCode]?.content?.[type]?.schema;
	if (schema === undefined || type !== "application/json") return;
	const [fault] = Compile(schema as TSchema).Errors(answer.json());
	expect([path, fault]).toEqual([path, undefined]);
}

describe("whatever the document allows, and what it does not,", () => {
	it.each(ROLES)("is answered properly to a %s", { timeout: 300_000 }, async (role) => {
		for (const named of operations) {
			const needed = named.operation["x-required-role"];
			const mayCall = needed === undefined || isAllowed(role, needed);
			if (mayCall && isStream(named)) continue;
			const ask = async ({ url, payload }: RequestParts) => {
				const call = { method: named.method as "GET", payload: payload as object | undefined };
				const answer = await callAs(rig, tokens.get(role), url, call);
				// An id in the path may be empty, which is another path.
				if (!mayCall) expect(answer.statusCode).toBeOneOf([400, 403, 404, 405, 414]);
				expectTrue(named, answer);
			};
			await fc.assert(fc.asyncProperty(requestOf(named), ask), { numRuns: RUNS_PER_ROUTE });
		}
	});

	it("is answered properly to a device that proves itself", { timeout: 300_000 }, async () => {
		const device = await rig.device("fuzzed");
		const isDevices = ({ method, operation }: NamedOperation) =>
			method !== "HEAD" && operation.tags.includes("Device interface");
		const own = operations.filter(isDevices);
		expect(own.length).toBeGreaterThanOrEqual(7);
		for (const named of own) {
			const statuses = new Set<number>();
			const ask = async ({ url, payload }: RequestParts) => {
				// inject() would change the quote, and with it what is MACed.
				const answer = await device.send(rig.server, url.replaceAll("'", "%27"), {
					method: named.method as "GET",
					body: payload === undefined ? undefined : JSON.stringify(payload),
					headers: payload === undefined ? {} : { "content-type": "application/json" },
				});
				statuses.add(answer.statusCode);
				expectTrue(named, answer);
			};
			await fc.assert(fc.asyncProperty(requestOf(named), ask), { numRuns: RUNS_OF_A_DEVICE });
			statuses.delete(401);
			expect([named.path, statuses.size > 0]).toEqual([named.path, true]);
		}
	});
});
