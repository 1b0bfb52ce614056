// GET events: both logs and the progress of devices as server-sent events, while they happen (docs/protocol.md §18.1).
import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { operatorOf } from "../auth/operator.js";
import { identifyOperator } from "../auth/operator-authenticator.js";
import { isAllowed } from "../domain/role.js";
import { createEventStream } from "../live/event-stream.js";
import { createStreamPlaces } from "../live/stream-places.js";
import type { Server, Services } from "../services.js";
import type { ToldEvent } from "../stores/told-event.js";
import { describe } from "./operation.js";
import { CursorSchema, DeviceIdSchema } from "./schemas.js";

const KEEP_ALIVE_MS = 15_000;
/** How long a token that was taken back goes on reading, at most. */
const RECHECK_MS = 10_000;
const EVENT_ID = /^[0-9]{1,15}$/;

const Query = Type.Object(
	{
		log: Type.Optional(Type.Union([Type.Literal("fota"), Type.Literal("security")])),
		device_id: Type.Optional(DeviceIdSchema),
		type: Type.Optional(Type.String({ pattern: "^[a-z_]{1,40}$" })),
		after: Type.Optional(CursorSchema),
	},
	{ additionalProperties: false },
);
const STREAM = describe({
	tag: "Logs",
	summary: "Events while they happen, as server-sent events",
	description:
		"`event: log` for a line of a log, `event: progress` for a report of a download (a chunk_received with its " +
		"percentage). Goes on behind Last-Event-ID, or `after`; without either it begins with what comes next.",
	querystring: Query,
	headers: {
		"last-event-id": { schema: Type.String({ pattern: EVENT_ID.source }), isRequired: false },
	},
	answers: { 200: { media: { "text/event-stream": Type.String() } } },
});

export function registerEventStreamRoute(server: Server, services: Services): void {
	const places = createStreamPlaces();
	const open = new Set<AbortController>();
	// Fastify waits for answers under way, and these have no end of their own.
	server.addHook("preClose", async () => {
		for (const end of open) end.abort();
	});
	server.get("/api/events", { config: { role: "viewer" }, schema: STREAM }, async (request, reply) => {
		const leave = places.take(operatorOf(request).actor);
		const end = new AbortController();
		const recheck = endWithToken(services, request, end);
		const release = () => {
			clearInterval(recheck);
			end.abort();
			open.delete(end);
			leave();
		};
		open.add(end);
		try {
			const stream = await streamFor(services, request, end.signal);
			stream.once("close", release);
			reply.header("cache-control", "no-store");
			// Of nginx: pass it on as it comes.
			reply.header("x-accel-buffering", "no");
			return reply.type("text/event-stream").send(stream);
		} catch (error) {
			release();
			throw error;
		}
	});
}

async function streamFor(
	services: Services,
	request: FastifyRequest,
	signal: AbortSignal,
): Promise<Readable> {
	const query = request.query as Static<typeof Query>;
	const given = cursorOf(request) ?? query.after;
	const reader = services.events.open();
	try {
		const after = given ?? (await reader.start());
		const isWanted = (event: ToldEvent) => matches(query, event);
		const pace = { keepAliveMs: KEEP_ALIVE_MS, stallMs: services.streamStallMs };
		return createEventStream({ reader, after, isWanted, signal, ...pace });
	} catch (error) {
		reader.close();
		throw error;
	}
}

/** Of a reader that connects again. */
function cursorOf(request: FastifyRequest): number | undefined {
	const text = request.headers["last-event-id"];
	if (text === undefined || text === "") return undefined;
	if (typeof text !== "string" || !EVENT_ID.test(text))
		throw new FotaError("request-malformed", "last-event-id is not the id of an event");
	return Number(text);
}

function matches({ log, device_id, type }: Static<typeof Query>, event: ToldEvent): boolean {
	return (
		(log === undefined || event.log === log) &&
		(device_id === undefined || event.device_id === device_id) &&
		(type === undefined || event.type === type)
	);
}

// A stream outlives the token it was opened with; the token must not be worth more for it.
function endWithToken(services: Services, request: FastifyRequest, end: AbortController): NodeJS.Timeout {
	const token = request.headers.authorization?.replace(/^Bearer +/i, "") ?? "";
	const check = async () => {
		try {
			const operator = await identifyOperator(services, token);
			if (operator === undefined || !isAllowed(operator.role, "viewer")) end.abort();
		} catch (error) {
			// The database is away, and with it all there is to read.
			request.log.debug({ err: error }, "token of an event stream not checked");
		}
	};
	return setInterval(() => void check(), RECHECK_MS).unref();
}
