// The OpenAPI 3.1 document, made from what stands beside each route (routes/operation.ts), at /openapi.json, and pages to
// read it at /docs, served by the server itself. Both are open to everybody: they say what is in the public sources, and
// nothing of this installation. Called by build-server.ts, before any route there is.
import swagger, { type SwaggerTransform } from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { RouteOptions } from "fastify";
import { Type } from "typebox";
import project from "../package.json" with { type: "json" };
import { ERROR_CODES, type ErrorCode } from "../src/protocol/error-codes.js";
import { COUNTER_MAX, PROBLEM_DETAIL_MAX_CHARS } from "../src/protocol/limits.js";
import { PROBLEM_MEDIA_TYPE } from "../src/protocol/problem.js";
import type { Role } from "./domain/role.js";
import { type Answer, OPERATION_KEY, type Operation, TAGS } from "./routes/operation.js";
import { statusOf } from "./routes/problems.js";
import type { Server } from "./services.js";

const DOCS_PATH = "/docs";
const DEVICE_TAG: keyof typeof TAGS = "Device interface";
/** Set by transform() for finish(), and taken out again there. */
const ERRORS_KEY = "x-errors";

// Its pages run no script but its own files; the styles it sets on elements are its own as well.
const DOCS_POLICY =
	"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const ProblemSchema = Type.Object(
	{
		type: Type.String({ description: "urn:xs-fota:error:CODE" }),
		title: Type.String(),
		status: Type.Integer({ minimum: 400, maximum: 599 }),
		code: Type.Enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
		detail: Type.String({ maxLength: PROBLEM_DETAIL_MAX_CHARS }),
		next_nonce: Type.Optional(
			Type.Integer({ minimum: 1, maximum: COUNTER_MAX, description: "With nonce-stale" }),
		),
	},
	{ description: "RFC 9457; what each code means is in docs/protocol.md §10" },
);

export async function registerOpenApi(server: Server): Promise<void> {
	await server.register(swagger, {
		openapi: {
			openapi: "3.1.0",
			info: {
				title: "xs-fota update server",
				version: project.version,
				description: "Firmware updates over the air: what operators' programs and devices ask of the server.",
				license: { name: "Apache-2.0", identifier: "Apache-2.0" },
			},
			tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
			components: {
				securitySchemes: {
					bearer: {
						type: "http",
						scheme: "bearer",
						description: "An access token of POST /api/auth/login, or an API token",
					},
					deviceMac: {
						type: "http",
						scheme: "FOTA-HMAC-SHA256",
						description:
							"HMAC over the request under the device's key, with a rising nonce (docs/protocol.md §3)",
					},
				},
			},
		},
		convertConstToEnum: false,
		transform,
		transformObject: (source) => finish("openapiObject" in source ? source.openapiObject : {}),
	});
}

export async function registerOpenApiRoutes(server: Server): Promise<void> {
	let text: string | undefined;
	server.get("/openapi.json", { schema: { hide: true } }, async (_request, reply) => {
		text ??= JSON.stringify(server.swagger());
		return reply.type("application/json").send(text);
	});
	await server.register(swaggerUi, {
		routePrefix: DOCS_PATH,
		staticCSP: DOCS_POLICY,
		uiConfig: { persistAuthorization: false, validatorUrl: null },
	});
}

const transform: SwaggerTransform = ({ schema, url, route }) => {
	const operation = (schema as { [OPERATION_KEY]?: Operation } | undefined)?.[OPERATION_KEY];
	if (operation === undefined) return { schema, url };
	const { role } = route.config ?? {};
	const { params, querystring } = operation;
	return {
		url,
		schema: {
			summary: operation.summary,
			description: descriptionOf(operation, role),
			operationId: operationIdOf(route),
			tags: [operation.tag],
			security: securityOf(operation, role),
			...(params && { params }),
			...(querystring && { querystring }),
			...bodyOf(operation),
			response: answersOf(operation),
			[ERRORS_KEY]: errorsOf(operation, role),
			...(role && { "x-required-role": role }),
			...(operation.headers && { "x-headers": operation.headers }),
		},
	};
};

function descriptionOf({ description }: Operation, role: Role | undefined): string {
	return [description, role && `Needs the role ${role}.`].filter(Boolean).join(" ");
}

/** getApiDevicesById of GET /api/devices/:id: unique, since method and path are. */
function operationIdOf({ method, url }: RouteOptions): string {
	const words = url.replaceAll(/:([a-z_]+)/g, "by_$1").split(/[^A-Za-z0-9]+/);
	const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
	return `${[method].flat()[0]?.toLowerCase()}${name}`;
}

function securityOf({ tag }: Operation, role: Role | undefined): Readonly<Record<string, string[]>>[] {
	if (role !== undefined) return [{ bearer: [] }];
	return tag === DEVICE_TAG ? [{ deviceMac: [] }] : [];
}

/** What is checked, and what is read as it comes. */
function bodyOf({ body, rawBody = {} }: Operation): object {
	if (body === undefined && Object.keys(rawBody).length === 0) return {};
	const checked =
		body === undefined ? {} : "content" in body ? body.content : mediaOf({ "application/json": body });
	return { body: { content: { ...checked, ...mediaOf(rawBody) } } };
}

function mediaOf(media: Readonly<Record<string, object>>) {
	return Object.fromEntries(Object.entries(media).map(([type, schema]) => [type, { schema }]));
}

function answersOf({ answers }: Operation): Record<string, object> {
	const entries = Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)] as const);
	return Object.fromEntries(entries);
}

function answerOf(answer: Answer | null): object {
	if (answer === null) return { type: "null", description: "Without a body" };
	if ("media" in answer)
		return { description: "OK", content: mediaOf(answer.media as Record<string, object>) };
	return { description: "OK", content: { "application/json": { schema: answer } } };
}

/** The route's own codes, and those of its kind, by status. */
function errorsOf(operation: Operation, role: Role | undefined): Record<string, ErrorCode[]> {
	const codes = new Set<ErrorCode>(operation.errors);
	const { params, querystring, body, rawBody } = operation;
	if (params ?? querystring ?? body ?? rawBody) codes.add("request-malformed");
	if (body ?? rawBody) codes.add("upload-too-large");
	if (role !== undefined)
		for (const code of ["auth-missing", "auth-failed", "forbidden", "password-change-needed"] as const)
			codes.add(code);
	if (operation.tag === DEVICE_TAG)
		for (const code of ["auth-missing", "auth-failed", "nonce-stale"] as const) codes.add(code);
	codes.add("rate-limited").add("server-unavailable");
	const byStatus: Record<string, ErrorCode[]> = {};
	for (const code of codes) {
		const status = statusOf(code) ?? (code.endsWith("-mismatch") ? 403 : 500);
		byStatus[status] = [...(byStatus[status] ?? []), code];
	}
	return byStatus;
}

type Json = Record<string, unknown>;

/** What the library has no word for: errors as references to one schema, headers that no schema checks. */
function finish(document: object): object {
	const { paths = {}, components = {} } = document as { paths?: Record<string, Json>; components?: Json };
	for (const path of Object.values(paths))
		for (const operation of Object.values(path)) finishOperation(operation as Json);
	const schemas = { ...(components.schemas as Json | undefined), Problem: ProblemSchema };
	return { ...document, components: { ...components, schemas } };
}

function finishOperation(operation: Json): void {
	const errors = (operation[ERRORS_KEY] ?? {}) as Record<string, ErrorCode[]>;
	const headers = (operation["x-headers"] ?? {}) as NonNullable<Operation["headers"]>;
	delete operation[ERRORS_KEY];
	delete operation["x-headers"];
	const responses = operation.responses as Json;
	for (const [status, codes] of Object.entries(errors)) responses[status] = problemAnswer(codes.join(", "));
	responses.default = problemAnswer("Any other fault");
	const added = Object.entries(headers).map(([name, { schema, isRequired }]) => ({
		in: "header",
		name,
		required: isRequired,
		schema,
	}));
	if (added.length > 0) operation.parameters = [...((operation.parameters as Json[]) ?? []), ...added];
}

function problemAnswer(description: string): object {
	const schema = { $ref: "#/components/schemas/Problem" };
	return { description, content: { [PROBLEM_MEDIA_TYPE]: { schema } } };
}
