// The HTTP side that all routes share: limits, time-outs, what is answered to what is no proper request. Called by
// app.ts.
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyHttpOptions, RawServerDefault } from "fastify";
import type { Limiter } from "./rate-limits.js";
import { RequestLog } from "./request-log.js";
import { createKnownRoutes } from "./routes/known-routes.js";
import { handleClientError, handleError, sendProblem } from "./routes/problems.js";
import { validatorCompiler } from "./routes/validation.js";
import type { Server, Services } from "./services.js";
import { readTlsPair, type TlsFiles } from "./tls.js";

const BODY_MAX_BYTES = 8192;
const URL_MAX_CHARS = 2048;

/** Long enough to be one of its own, and nothing that means something in a log. */
const REQUEST_ID_PATTERN = /^[A-Za-z0-9_-]{16,64}$/;

export interface HttpSettings {
	/** HTTPS instead of HTTP. */
	readonly tls?: TlsFiles | undefined;
	/**
	 * Whose X-Forwarded-For counts: addresses and networks (CIDR) of proxies, or how many proxies stand in front.
	 * Default: nobody's. Threat: a stranger who gives himself another address each time.
	 */
	readonly trustedProxies?: readonly string[] | number | undefined;
}

const CONNECTION_OPTIONS = { headersTimeout: 20_000, connectionsCheckingInterval: 5000, maxHeaderSize: 8192 };

const HTTP_OPTIONS = {
	bodyLimit: BODY_MAX_BYTES,
	logController: new RequestLog(),
	// HEAD answers have no body to be MACed over; there is nothing yet that needs them.
	exposeHeadRoutes: false,
	requestIdHeader: false,
	genReqId: requestIdOf,
	// Ours is a problem document, see below.
	return503OnClosing: false,
	clientErrorHandler: handleClientError,
	frameworkErrors: handleError,
	/** A whole request, an upload over a slow line included. */
	requestTimeout: 300_000,
	/** Longer than the pause between two reports of a device (5 s), so that its connection is kept. */
	keepAliveTimeout: 75_000,
	/** Silence on a connection, a download that nobody takes included. */
	connectionTimeout: 120_000,
} satisfies FastifyHttpOptions<RawServerDefault>;

/** For Fastify. Throws `server-failed` when certificate or key cannot be used. */
export function httpOptions({ tls, trustedProxies }: HttpSettings) {
	return {
		...HTTP_OPTIONS,
		...(trustedProxies !== undefined && {
			trustProxy:
				typeof trustedProxies === "number"
					? (_address: string, hop: number) => hop < trustedProxies
					: [...trustedProxies],
		}),
		...(tls === undefined
			? { http: CONNECTION_OPTIONS }
			: { https: { ...CONNECTION_OPTIONS, ...readTlsPair(tls) } }),
	};
}

/** A proxy's, so that its log and ours tell of one request; else one of our own. */
function requestIdOf({ headers }: IncomingMessage): string {
	const given = headers["x-request-id"];
	return typeof given === "string" && REQUEST_ID_PATTERN.test(given) ? given : randomUUID();
}

export function configureHttp(server: Server, services: Services, limitAddress: Limiter): void {
	const knownRoutes = createKnownRoutes();
	// JSON is the default; a route that takes something else adds it.
	server.removeContentTypeParser("text/plain");
	server.setValidatorCompiler(validatorCompiler);
	// Answers are as the routes make them; their schemas are for the document (routes/operation.ts).
	server.setSerializerCompiler(() => (value) => JSON.stringify(value));
	server.decorateRequest("operator", undefined);
	server.setErrorHandler(handleError);
	server.addHook("onRoute", (route) => knownRoutes.add(route));
	server.setNotFoundHandler((request, reply) => knownRoutes.refuse(request, reply));
	server.addHook("onRequest", async (request, reply) => {
		reply.header("x-request-id", request.id);
		if (services.isStopping()) {
			reply.header("connection", "close");
			return sendProblem(reply, { status: 503, code: "server-unavailable", detail: "stopping" });
		}
		if (request.url.length > URL_MAX_CHARS)
			return sendProblem(reply, { status: 414, code: "request-malformed", detail: "the URL is too long" });
		return limitAddress(request, reply);
	});
	server.addHook("onResponse", async () => {
		// A kept-alive connection that was busy when the server was told to stop is idle now.
		if (services.isStopping()) setImmediate(() => server.server.closeIdleConnections());
	});
	server.addHook("onRequestAbort", async (request) => {
		request.log.debug({ code: "network-unavailable" }, "client went away");
	});
}
