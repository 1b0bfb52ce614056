// The HTTP side that all routes share: limits, time-outs, what is answered to what is no proper request. Called by
// app.ts.
import { randomUUID } from "node:crypto";
import type { FastifyHttpOptions, RawServerDefault } from "fastify";
import { RequestLog } from "./request-log.js";
import { createKnownRoutes } from "./routes/known-routes.js";
import { handleClientError, handleError, sendProblem } from "./routes/problems.js";
import { validatorCompiler } from "./routes/validation.js";
import type { Server, Services } from "./services.js";

const BODY_MAX_BYTES = 8192;
const URL_MAX_CHARS = 2048;

export const HTTP_OPTIONS = {
	bodyLimit: BODY_MAX_BYTES,
	logController: new RequestLog(),
	// HEAD answers have no body to be MACed over; there is nothing yet that needs them.
	exposeHeadRoutes: false,
	// A request id from outside could be made to look like another one's.
	requestIdHeader: false,
	genReqId: () => randomUUID(),
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
	http: { headersTimeout: 20_000, connectionsCheckingInterval: 5000, maxHeaderSize: 8192 },
} satisfies FastifyHttpOptions<RawServerDefault>;

export function configureHttp(server: Server, services: Services): void {
	const knownRoutes = createKnownRoutes();
	// JSON is the default; a route that takes something else adds it.
	server.removeContentTypeParser("text/plain");
	server.setValidatorCompiler(validatorCompiler);
	server.setErrorHandler(handleError);
	server.addHook("onRoute", (route) => knownRoutes.add(route));
	server.setNotFoundHandler((request, reply) => knownRoutes.refuse(request, reply));
	server.addHook("onRequest", async (request, reply) => {
		if (services.isStopping()) {
			reply.header("connection", "close");
			return sendProblem(reply, { status: 503, code: "server-unavailable", detail: "stopping" });
		}
		if (request.url.length > URL_MAX_CHARS)
			return sendProblem(reply, { status: 414, code: "request-malformed", detail: "the URL is too long" });
		return undefined;
	});
	server.addHook("onResponse", async () => {
		// A kept-alive connection that was busy when the server was told to stop is idle now.
		if (services.isStopping()) setImmediate(() => server.server.closeIdleConnections());
	});
	server.addHook("onRequestAbort", async (request) => {
		request.log.debug({ code: "network-unavailable" }, "client went away");
	});
}
