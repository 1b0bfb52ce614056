// Puts the HTTP server together: what all routes share, then each group of routes behind its own way in. Called by app.ts.
import Fastify, { type FastifyBaseLogger } from "fastify";
import { configureHttp, type HttpSettings, httpOptions } from "./http-server.js";
import { registerOpenApi, registerOpenApiRoutes } from "./openapi.js";
import { DEFAULT_RATE_LIMITS, type RateLimits, registerRateLimits } from "./rate-limits.js";
import { registerAdminRoutes } from "./routes/admin-scope.js";
import { type BrowserSettings, registerBrowserRules } from "./routes/browser-rules.js";
import { registerDeviceRoutes } from "./routes/device-scope.js";
import { registerHealthRoutes } from "./routes/health-routes.js";
import { registerLoginRoutes } from "./routes/login-routes.js";
import { registerScrapersMetricsRoute } from "./routes/metrics-route.js";
import type { Server, Services } from "./services.js";

export interface ServerSettings extends HttpSettings, BrowserSettings {
	/** Default: {@link DEFAULT_RATE_LIMITS}. */
	readonly rateLimits?: RateLimits | undefined;
}

/** Ready to answer; does not listen yet. */
export async function buildServer(
	services: Services,
	settings: ServerSettings,
	log: FastifyBaseLogger,
): Promise<Server> {
	const options = { ...httpOptions(settings), loggerInstance: log };
	const fastify = Fastify(options) as unknown as Server;
	const limiters = await registerRateLimits(fastify, settings.rateLimits ?? DEFAULT_RATE_LIMITS);
	await registerOpenApi(fastify);
	services.processMetrics.observe(fastify);
	configureHttp(fastify, services, limiters.byAddress);
	// Devices are no browsers: what browsers are told would only make their answers longer.
	await fastify.register(async (scope) => registerDeviceRoutes(scope as Server, services, limiters.byDevice));
	await fastify.register(async (scope) => registerOperatorSide(scope as Server, services, settings));
	await fastify.ready();
	return fastify;
}

async function registerOperatorSide(
	server: Server,
	services: Services,
	settings: BrowserSettings,
): Promise<void> {
	await registerBrowserRules(server, settings);
	registerHealthRoutes(server, services);
	registerScrapersMetricsRoute(server, services);
	registerLoginRoutes(server, services);
	await registerOpenApiRoutes(server);
	await server.register(async (scope) => registerAdminRoutes(scope as Server, services));
}
