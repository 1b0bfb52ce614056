// The OpenAPI document of a server under test, as a list of operations, and requests made of its schemas. Used by the
// tests that go through every route.
import fc from "fast-check";
import type { ServerRig } from "./server-rig.js";

export interface JsonSchema {
	readonly type?: string;
	readonly const?: unknown;
	readonly enum?: readonly unknown[];
	readonly anyOf?: readonly JsonSchema[];
	readonly pattern?: string;
	readonly minLength?: number;
	readonly maxLength?: number;
	readonly minimum?: number;
	readonly maximum?: number;
	readonly properties?: Readonly<Record<string, JsonSchema>>;
	readonly required?: readonly string[];
	readonly items?: JsonSchema;
	readonly maxItems?: number;
}

interface Parameter {
	readonly in: "path" | "query" | "header";
	readonly name: string;
	readonly required?: boolean;
	readonly schema: JsonSchema;
}

type Content = Readonly<Record<string, { readonly schema: JsonSchema }>>;

export interface Operation {
	readonly operationId: string;
	readonly summary: string;
	readonly tags: readonly string[];
	readonly security: readonly object[];
	readonly parameters?: readonly Parameter[];
	readonly requestBody?: { readonly content: Content };
	readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
	readonly "x-required-role"?: "viewer" | "operator" | "admin";
}

export interface NamedOperation {
	readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
	readonly path: string;
	readonly operation: Operation;
}

export interface Document {
	readonly openapi: string;
	readonly info: { readonly version: string };
	readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
	readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

export async function readDocument(rig: ServerRig): Promise<Document> {
	return (await rig.server.inject("/openapi.json")).json();
}

export function operationsOf({ paths }: Document): NamedOperation[] {
	return Object.entries(paths).flatMap(([path, operations]) =>
		Object.entries(operations).map(([method, operation]) => ({
			method: method.toUpperCase() as NamedOperation["method"],
			path,
			operation,
		})),
	);
}

/** An answer that never ends by itself: it cannot be waited for. */
export function isStream({ operation }: NamedOperation): boolean {
	return operation.responses[200]?.content?.["text/event-stream"] !== undefined;
}

const noise = fc.oneof(
	fc.string({ unit: "binary", maxLength: 40 }),
	fc.integer(),
	fc.constantFrom(null, true, "", "0", -1, 1e300, [], {}),
	fc.jsonValue({ maxDepth: 2 }),
);

/** Mostly what the schema allows; now and then anything. */
export function arbitraryOf(schema: JsonSchema): fc.Arbitrary<unknown> {
	return fc.oneof({ weight: 9, arbitrary: fitting(schema) }, { weight: 1, arbitrary: noise });
}

function fitting(schema: JsonSchema): fc.Arbitrary<unknown> {
	if (schema.const !== undefined) return fc.constant(schema.const);
	if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
	if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(arbitraryOf));
	switch (schema.type) {
		case "string":
			return textOf(schema);
		case "integer":
		case "number":
			return fc.integer({
				min: Math.ceil(schema.minimum ?? -10),
				max: Math.floor(Math.min(schema.maximum ?? 1000, 2 ** 31 - 1)),
			});
		case "boolean":
			return fc.boolean();
		case "null":
			return fc.constant(null);
		case "array":
			return fc.array(arbitraryOf(schema.items ?? {}), { maxLength: Math.min(schema.maxItems ?? 3, 3) });
		case "object":
			return objectOf(schema);
		default:
			return noise;
	}
}

function textOf({ pattern, minLength = 0, maxLength = 40 }: JsonSchema): fc.Arbitrary<string> {
	if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
	return fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 60)) });
}

function objectOf({ properties = {}, required = [] }: JsonSchema): fc.Arbitrary<unknown> {
	const model = Object.fromEntries(
		Object.entries(properties).map(([name, schema]) => [name, arbitraryOf(schema)]),
	);
	return fc.record(model, { requiredKeys: [...required] as never[] });
}

export interface RequestParts {
	readonly url: string;
	readonly payload: unknown;
}

/** Path, query and JSON body of an operation. */
export function requestOf({ path, operation }: NamedOperation): fc.Arbitrary<RequestParts> {
	const { parameters = [], requestBody } = operation;
	const placed = (place: Parameter["in"]) => parameters.filter((parameter) => parameter.in === place);
	const model = (list: readonly Parameter[]) =>
		fc.record(Object.fromEntries(list.map(({ name, schema }) => [name, arbitraryOf(schema)])), {
			requiredKeys: list.filter(({ required }) => required === true).map(({ name }) => name) as never[],
		});
	const body = requestBody?.content["application/json"]?.schema;
	return fc
		.tuple(
			model(placed("path")),
			model(placed("query")),
			body === undefined ? fc.constant(undefined) : arbitraryOf(body),
		)
		.map(([inPath, inQuery, payload]) => ({ url: urlOf(path, inPath, inQuery), payload }));
}

function urlOf(path: string, inPath: object, inQuery: object): string {
	const filled = Object.entries(inPath).reduce(
		(text, [name, value]) => text.replace(`{${name}}`, encode(value)),
		path,
	);
	const query = Object.entries(inQuery).map(([name, value]) => `${encode(name)}=${encode(value)}`);
	return query.length === 0 ? filled : `${filled}?${query.join("&")}`;
}

/** No lone surrogates: they have no place in a URL. The quote as well: inject() would change it on the way. */
function encode(value: unknown): string {
	const text = typeof value === "string" ? value : JSON.stringify(value);
	return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, "?")).replaceAll("'", "%27");
}
