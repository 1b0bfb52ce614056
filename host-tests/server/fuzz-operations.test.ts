// Requests made of the OpenAPI document, to every route with every role: never a fault of the server, never an answer for
// a role that may not, and what is answered is what the document says. A failure prints the seed that replays it.
import { once } from "node:events";
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
	requestsWith,
} from "./openapi-document.js";
import { callAs, makeUser } from "./operators.js";
import { ADMIN_TOKEN, ServerRig } from "./server-rig.js";
import { databaseKind } from "./test-database.js";

/** For each role. Fewer on the second database: there it is about what reaches its statements. */
const RUNS_PER_ROUTE = databaseKind === "SQLite" ? 8 : 4;
const RUNS_OF_A_DEVICE = databaseKind === "SQLite" ? 60 : 20;

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

/** It has no end of its own: what is looked at is how it begins. */
async function expectStream(token: string, url: string, given: Readonly<Record<string, string>>) {
	const headers = { ...given, authorization: `Bearer ${token}` };
	const answer = await rig.server.inject({ url, headers, payloadAsStream: true });
	const stream = answer.stream();
	const [first] = (await once(stream, "data")) as [Buffer];
	stream.destroy();
	if (answer.statusCode === 200) {
		expect(answer.headers["content-type"]).toBe("text/event-stream");
		expect(first.toString()).toMatch(/^retry: /);
		return;
	}
	expect([url, answer.statusCode, answer.statusCode < 500]).toEqual([url, answer.statusCode, true]);
	expect(JSON.parse(first.toString())).toMatchObject({ status: answer.statusCode });
}

describe("whatever the document allows, and what it does not,", () => {
	it.each(ROLES)("is answered properly to a %s", { timeout: 300_000 }, async (role) => {
		for (const named of operations) {
			const needed = named.operation["x-required-role"];
			const mayCall = needed === undefined || isAllowed(role, needed);
			const ask = async ({ url, ...body }: RequestParts) => {
				if (mayCall && isStream(named)) return expectStream(tokens.get(role) ?? "", url, body.headers);
				const call = { method: named.method as "GET", ...body };
				const answer = await callAs(rig, tokens.get(role), url, call);
				// An id in the path may be empty, which is another path.
				if (!mayCall) expect(answer.statusCode).toBeOneOf([400, 403, 404, 405, 414]);
				expectTrue(named, answer);
			};
			await fc.assert(fc.asyncProperty(requestOf(named), ask), { numRuns: RUNS_PER_ROUTE });
		}
	});

	it("is answered properly where one text is what no database can keep", async () => {
		for (const named of operations)
			for (const text of ["\0", "1.0.0\0", "a\ud800"])
				for (const { url, ...body } of requestsWith(text, named)) {
					const call = { method: named.method as "GET", ...body };
					const answer = await callAs(rig, ADMIN_TOKEN, url, call);
					expectTrue(named, answer);
					// A query has no half characters: what stands for one is not decoded, and a text like any other.
					const mayPass = url.includes("%ed%a0%80");
					expect([url, body, answer.statusCode >= 400 || mayPass]).toEqual([url, body, true]);
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
			const ask = async ({ url, payload, headers }: RequestParts) => {
				const body = payload as string | undefined;
				const answer = await device.send(rig.server, url, { method: named.method as "GET", body, headers });
				statuses.add(answer.statusCode);
				expectTrue(named, answer);
			};
			await fc.assert(fc.asyncProperty(requestOf(named), ask), { numRuns: RUNS_OF_A_DEVICE });
			statuses.delete(401);
			expect([named.path, statuses.size > 0]).toEqual([named.path, true]);
		}
	});
});
