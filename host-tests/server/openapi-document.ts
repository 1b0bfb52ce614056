// The OpenAPI document of a server under test, as a list of operations, and requests made of its schemas. Used by the
// tests that go through every route.
import fc from "fast-check";
import { FORM_TYPE, formOf } from "./form-rig.js";
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

/** Any characters, with those among them that databases cannot keep. */
const strangeText = fc
	.array(
		fc.oneof(fc.string({ unit: "binary", maxLength: 8 }), fc.constantFrom("\0", "\ud800", "\udfff", "\x7f")),
		{ maxLength: 5 },
	)
	.map((pieces) => pieces.join(""));

const noise = fc.oneof(
	strangeText,
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
	const plain = fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength, 60)) });
	return fc.oneof({ weight: 4, arbitrary: plain }, { weight: 1, arbitrary: strangeText });
}

function objectOf({ properties = {}, required = [] }: JsonSchema): fc.Arbitrary<unknown> {
	const model = Object.fromEntries(
		Object.entries(properties).map(([name, schema]) => [name, arbitraryOf(schema)]),
	);
	return fc.record(model, { requiredKeys: [...required] as never[] });
}

export interface RequestParts {
	readonly url: string;
	readonly payload: object | string | undefined;
	readonly headers: Readonly<Record<string, string>>;
}

type Body = Pick<RequestParts, "payload" | "headers">;

/** Path, query, headers and body of an operation: JSON, a form, or the bytes of an image. */
export function requestOf(named: NamedOperation): fc.Arbitrary<RequestParts> {
	const { parameters = [] } = named.operation;
	const model = (place: Parameter["in"], fieldOf: (schema: JsonSchema) => fc.Arbitrary<unknown>) => {
		const list = parameters.filter((parameter) => parameter.in === place);
		return fc.record(Object.fromEntries(list.map(({ name, schema }) => [name, fieldOf(schema)])), {
			requiredKeys: list.filter(({ required }) => required === true).map(({ name }) => name) as never[],
		});
	};
	return fc
		.tuple(model("path", arbitraryOf), model("query", arbitraryOf), model("header", headerOf), bodyOf(named))
		.map(([inPath, inQuery, headers, body]) => ({
			url: urlOf(named.path, inPath, inQuery),
			payload: body.payload,
			headers: { ...(headers as Record<string, string>), ...body.headers },
		}));
}

/** For each text of query and JSON body a request in which it is `text`, and all that must be given is as it must be. */
export function requestsWith(text: string, { path, operation }: NamedOperation): RequestParts[] {
	const { parameters = [], requestBody } = operation;
	const query = objectSchemaOf(parameters.filter((parameter) => parameter.in === "query"));
	const inPath = leastOf(objectSchemaOf(parameters.filter((parameter) => parameter.in === "path")));
	const body = requestBody?.content["application/json"]?.schema;
	const request = (inQuery: object, inBody: object | undefined): RequestParts => ({
		url: urlOf(path, inPath, inQuery),
		payload: inBody === undefined ? undefined : JSON.stringify(inBody),
		headers: inBody === undefined ? {} : { "content-type": "application/json" },
	});
	const least = body === undefined ? undefined : leastOf(body);
	return [
		...textsOf(query).map((name) => request({ ...leastOf(query), [name]: text }, least)),
		...textsOf(body ?? {}).map((name) => request(leastOf(query), { ...least, [name]: text })),
	];
}

function objectSchemaOf(parameters: readonly Parameter[]): JsonSchema {
	return {
		type: "object",
		properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, schema])),
		required: parameters.filter(({ required }) => required === true).map(({ name }) => name),
	};
}

/** One that fits, the same each time. */
function leastOf({ properties = {}, required = [] }: JsonSchema): object {
	const fields = required.map((name) => [
		name,
		fc.sample(fitting(properties[name] ?? {}), { numRuns: 1, seed: 1 })[0],
	]);
	return Object.fromEntries(fields);
}

function textsOf({ properties = {} }: JsonSchema): string[] {
	const isText = ({ type, anyOf = [] }: JsonSchema): boolean => type === "string" || anyOf.some(isText);
	return Object.entries(properties)
		.filter(([, schema]) => isText(schema))
		.map(([name]) => name);
}

/** What a header can say at all. */
function headerOf({ pattern }: JsonSchema): fc.Arbitrary<string> {
	const plain = fc.string({ maxLength: 60 });
	return pattern === undefined ? plain : fc.oneof(fc.stringMatching(new RegExp(pattern)), plain);
}

function bodyOf({ operation }: NamedOperation): fc.Arbitrary<Body> {
	const { requestBody, parameters = [] } = operation;
	const json = requestBody?.content["application/json"]?.schema;
	const form = requestBody?.content["multipart/form-data"]?.schema;
	const bodies: fc.Arbitrary<Body>[] = [];
	if (json !== undefined)
		bodies.push(
			arbitraryOf(json).map((payload) => ({
				payload: JSON.stringify(payload),
				headers: { "content-type": "application/json" },
			})),
		);
	if (form !== undefined) bodies.push(formBodyOf(form));
	// The document has no word for it: the image as bytes beside the statement in a header.
	if (parameters.some(({ name }) => name === "fota-release")) bodies.push(imageBytes);
	return bodies.length === 0 ? fc.constant({ payload: undefined, headers: {} }) : fc.oneof(...bodies);
}

const imageBytes: fc.Arbitrary<Body> = fc.uint8Array({ maxLength: 200 }).map((bytes) => ({
	payload: Buffer.from(bytes),
	headers: { "content-type": "application/octet-stream" },
}));

/** The fields in any order, the file among them. */
function formBodyOf(schema: JsonSchema): fc.Arbitrary<Body> {
	return arbitraryOf(schema)
		.chain((fields) => {
			const parts = Object.entries(Object(fields) as object).map(([name, value]) => ({
				// A name between quotes in a line.
				name: name.replaceAll(/[^a-z_]/g, "?"),
				value: typeof value === "string" ? value : JSON.stringify(value),
				...(name === "file" && { fileName: "firmware.bin" }),
			}));
			return fc.oneof(fc.constant(parts), fc.shuffledSubarray(parts));
		})
		.map((parts) => ({ payload: formOf(parts), headers: { "content-type": FORM_TYPE } }));
}

function urlOf(path: string, inPath: object, inQuery: object): string {
	const filled = Object.entries(inPath).reduce(
		(text, [name, value]) => text.replace(`{${name}}`, encode(value)),
		path,
	);
	const query = Object.entries(inQuery).map(([name, value]) => `${encode(name)}=${encode(value)}`);
	return query.length === 0 ? filled : `${filled}?${query.join("&")}`;
}

/**
 * Halves of surrogate pairs as the three bytes that UTF-8 has no place for. The quote as well: inject() would change it on
 * the way.
 */
function encode(value: unknown): string {
	const text = typeof value === "string" ? value : JSON.stringify(value);
	return Array.from(text, (character) =>
		/\p{Surrogate}/u.test(character) ? bytesOfHalf(character.charCodeAt(0)) : encodeURIComponent(character),
	)
		.join("")
		.replaceAll("'", "%27");
}

function bytesOfHalf(code: number): string {
	const bytes = [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
	return bytes.map((byte) => `%${byte.toString(16)}`).join("");
}
