// The OpenAPI document: whole, valid, and true.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Document, type NamedOperation, operationsOf, readDocument } from "./openapi-document.js";
import { ServerRig } from "./server-rig.js";

let rig: ServerRig;
let document: Document;
let operations: NamedOperation[];
beforeAll(async () => {
	rig = await ServerRig.create({ every: () => () => {} });
	document = await readDocument(rig);
	operations = operationsOf(document);
});
afterAll(() => rig.close());

const nameOf = ({ method, path }: NamedOperation) => `${method} ${path}`;
/** Names of the operations for which this is not so. */
const without = (isRight: (named: NamedOperation) => boolean) =>
	operations.filter((named) => !isRight(named)).map(nameOf);

/** Every route that Fastify has, as METHOD PATH, with parameters as in the document. */
function routesOf(tree: string): string[] {
	const parents: string[] = [];
	return tree.split("\n").flatMap((line) => {
		const match = /^((?:│ {3}| {4})*)[├└]── (\S+)(?: \(([A-Z, ]+)\))?$/.exec(line);
		if (match === null) return [];
		const [, indent = "", segment = "", methods] = match;
		const depth = indent.length / 4;
		parents[depth] = (parents[depth - 1] ?? "") + segment;
		const path = parents[depth]?.replaceAll(/:([a-z_]+)/g, "{$1}") ?? "";
		return methods?.split(", ").map((method) => `${method} ${path}`) ?? [];
	});
}

describe("the OpenAPI document", () => {
	it("is a valid one of version 3.1, of this version of the server", async () => {
		const result = await new Validator().validate(
			structuredClone(document) as unknown as Record<string, unknown>,
		);
		expect(result.errors ?? []).toEqual([]);
		expect(document.openapi).toBe("3.1.0");
		const { version } = JSON.parse(readFileSync("package.json", "utf8"));
		expect(document.info.version).toBe(version);
	});

	it("has every route of the server, and no other", () => {
		const routes = routesOf(rig.server.printRoutes({ commonPrefix: false }));
		// The document's own, and HEAD, which is GET without the body.
		const isItself = (route: string) => /^\w+ \/(docs.*|openapi\.json)$|^HEAD /.test(route);
		expect(routes.length).toBeGreaterThan(40);
		expect(routes.filter((route) => !isItself(route)).sort()).toEqual(
			operations
				.map(nameOf)
				.filter((name) => !isItself(name))
				.sort(),
		);
	});

	it("says of each operation what it is, who may call it, and what is answered", () => {
		expect(without(({ operation }) => operation.summary?.length > 0 && operation.tags?.length === 1)).toEqual(
			[],
		);
		expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
		const hasSuccess = ({ operation }: NamedOperation) =>
			Object.keys(operation.responses).some((status) => /^2/.test(status));
		expect(without(hasSuccess)).toEqual([]);
		const isSecured = ({ operation }: NamedOperation) =>
			(operation["x-required-role"] !== undefined) ===
			operation.security.some((scheme) => "bearer" in scheme);
		expect(without(isSecured)).toEqual([]);
		const open = operations.filter(({ operation }) => operation.security.length === 0).map(nameOf);
		expect(open.sort()).toEqual([
			"GET /health",
			"GET /ready",
			"POST /api/auth/login",
			"POST /api/auth/logout",
			"POST /api/auth/refresh",
		]);
	});

	it("describes each error as a problem", () => {
		const problem = { $ref: "#/components/schemas/Problem" };
		const hasProblems = ({ operation }: NamedOperation) =>
			Object.entries(operation.responses)
				.filter(([status]) => /^[45]|default/.test(status))
				.every(([, answer]) => {
					const schema = answer.content?.["application/problem+json"]?.schema;
					return JSON.stringify(schema) === JSON.stringify(problem);
				});
		expect(without(hasProblems)).toEqual([]);
		expect(without(({ operation }) => operation.responses[429] !== undefined)).toEqual([]);
		expect(document.components.schemas).toHaveProperty("Problem");
		expect(JSON.stringify(document)).not.toMatch(/x-operation|x-errors|x-headers/);
	});

	it("bounds every parameter of a path and a query", () => {
		const isBounded = ({ operation }: NamedOperation) =>
			(operation.parameters ?? []).every(({ in: place, schema }) => {
				// The head of a request has a limit of its own.
				if (place === "header") return true;
				const text = JSON.stringify(schema);
				if (schema.type === "integer") return schema.minimum !== undefined && schema.maximum !== undefined;
				return schema.type !== "string" || /pattern|maxLength|enum|const/.test(text);
			});
		expect(without(isBounded)).toEqual([]);
	});

	it("is true: what is answered is what it says", async () => {
		await rig.device();
		const device = await rig.device("dev-2", { chip: "esp32" });
		await rig.publish();
		await device.report(rig.server);
		await rig.post("/api/cloud/fota/rollback", { device_id: "dev-2", reason: "too warm" });
		await rig.post("/api/users", { name: "anna", role: "viewer" });
		await rig.post("/api/tokens", { name: "ci", role: "viewer", expires_in_days: 1 });
		const plain = operations.filter(
			({ method, path, operation }) =>
				method === "GET" &&
				!path.includes("{") &&
				operation["x-required-role"] !== undefined &&
				operation.responses[200]?.content?.["application/json"] !== undefined &&
				!operation.parameters?.some(({ required }) => required),
		);
		expect(plain.length).toBeGreaterThan(10);
		for (const { path, operation } of plain) {
			const answer = await rig.get(path);
			expect([path, answer.statusCode]).toEqual([path, 200]);
			const schema = operation.responses[200]?.content?.["application/json"]?.schema as TSchema;
			const [fault] = Compile(schema).Errors(answer.json());
			expect([path, fault]).toEqual([path, undefined]);
		}
	});

	it("is there to read without a log-in, from files of the server alone", async () => {
		const page = await rig.server.inject("/docs/");
		expect(page.statusCode).toBe(200);
		expect(page.headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'");
		const links = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
		expect(links.length).toBeGreaterThan(3);
		for (const link of links) {
			expect(link).not.toMatch(/^(https?:)?\/\//);
			expect((await rig.server.inject(new URL(link, "http://x/docs/").pathname)).statusCode).toBe(200);
		}
	});
});
