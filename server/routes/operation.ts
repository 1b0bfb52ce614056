// What the OpenAPI document says of a route, beside the route itself. Used by all routes:
//
//     server.get(
//         "/api/things/:id",
//         {
//             config: { role: "viewer" },
//             schema: describe({
//                 tag: "Devices",
//                 summary: "One thing",
//                 params: ThingPath,                 // TypeBox; checked, and gives request.params its type
//                 answers: { 200: ThingAnswer },     // TypeBox; `null` for an answer without a body
//                 errors: ["not-found"],
//             }),
//         },
//         async (request) => …,
//     );
//
// `params`, `querystring` and `body` are what validation.ts checks; the rest is for the document alone. Limits and
// descriptions come from the schemas (`Type.String({ maxLength: 40, description: "…" })`). Of the errors only those
// that are the route's own are named: what every route of its kind may answer (401, 403, 429, 503, and 400 where there
// is something to check) is added by openapi.ts, and so are credentials and the role. An answer is not filtered by its
// schema; host-tests/server/openapi.test.ts holds what is answered to it.
import type { TSchema } from "typebox";
import type { ErrorCode } from "../../src/protocol/error-codes.js";

export const TAGS = {
	Access: "Who asks: log-in, users, tokens",
	Devices: "Registered devices and what they reported",
	Releases: "Images with their signed statements, and the keys that sign them",
	Rollouts: "Which devices get a release, and when",
	Webhooks: "Calls of other programs when something happens",
	Logs: "Events, security events, the audit log",
	Server: "The server itself",
	"Device interface": "What devices ask (docs/protocol.md)",
} as const;

export interface Operation {
	readonly tag: keyof typeof TAGS;
	/** One line. */
	readonly summary: string;
	readonly description?: string;
	readonly params?: TSchema;
	readonly querystring?: TSchema;
	readonly body?: TSchema | { readonly content: Readonly<Record<string, { readonly schema: TSchema }>> };
	/** By status. */
	readonly answers: Readonly<Record<number, Answer | null>>;
	/** Codes that are this route's own. */
	readonly errors?: readonly ErrorCode[];
	/** A body that is not checked here: read as bytes by the protocol's own parser. */
	readonly rawBody?: Readonly<Record<string, TSchema>>;
	/** Headers that the route reads. */
	readonly headers?: Readonly<Record<string, { readonly schema: TSchema; readonly isRequired: boolean }>>;
}

/** JSON of a schema, or bodies by media type. */
export type Answer = TSchema | { readonly media: Readonly<Record<string, TSchema>> };

/** The key under which the document's part of a route travels through Fastify to openapi.ts. */
export const OPERATION_KEY = "x-operation";

type Checked<O extends Operation> = Pick<O, Extract<keyof O, "params" | "querystring" | "body">>;

/** For a route's `schema`. */
export function describe<const O extends Operation>(operation: O): Checked<O> {
	const { params, querystring, body } = operation;
	const schema = {
		...(params && { params }),
		...(querystring && { querystring }),
		...(body && { body }),
		[OPERATION_KEY]: operation,
	};
	return schema as unknown as Checked<O>;
}
