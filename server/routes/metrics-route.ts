// GET metrics for Prometheus. With FOTA_METRICS_TOKEN the scraper has a token of its own, which opens nothing else and
// works while the database is away; without it, any viewer's token does.
import { Type } from "typebox";
import { isAdminToken } from "../auth/secrets.js";
import { nodeRegistry } from "../metrics/process-metrics.js";
import type { Server, Services } from "../services.js";
import { describe } from "./operation.js";
import { sendProblem } from "./problems.js";

const METRICS_PATH = "/metrics";
const METRICS = describe({
	tag: "Server",
	summary: "Metrics in Prometheus' text format",
	description:
		"Each one's help text says whether it is of the process that answers or of the fleet, from the database. Behind " +
		"the token of FOTA_METRICS_TOKEN where that is set, otherwise behind a viewer's.",
	answers: { 200: { media: { "text/plain": Type.String() } } },
});
const BEARER = /^Bearer +([\x21-\x7e]{1,256})$/i;

/** In the scope of the operator routes. */
export function registerViewersMetricsRoute(server: Server, services: Services): void {
	if (services.metricsToken !== undefined) return;
	server.get(METRICS_PATH, { config: { role: "viewer" }, schema: METRICS }, async (_request, reply) => {
		reply.type(services.processMetrics.registry.contentType);
		return collect(services);
	});
}

/** In a scope of its own. */
export function registerScrapersMetricsRoute(server: Server, services: Services): void {
	const { metricsToken, refusals } = services;
	if (metricsToken === undefined) return;
	server.get(METRICS_PATH, { schema: METRICS }, async (request, reply) => {
		const token = BEARER.exec(request.headers.authorization ?? "")?.[1];
		if (token !== undefined && isAdminToken(token, metricsToken)) {
			reply.type(services.processMetrics.registry.contentType);
			return collect(services);
		}
		const code = request.headers.authorization === undefined ? "auth-missing" : "auth-failed";
		const details = { cause: "wrong metrics token", address: request.ip, path: METRICS_PATH };
		const event = { log: "security", type: "admin_auth_failed", details } as const;
		if (code === "auth-failed") await refusals.note(event, request.ip);
		reply.header("www-authenticate", "Bearer");
		return sendProblem(reply, { status: 401, code, detail: "no or a wrong metrics token" });
	});
}

async function collect({ processMetrics, fleetMetrics }: Services): Promise<string> {
	const parts = [nodeRegistry().metrics(), processMetrics.registry.metrics(), fleetMetrics.collect()];
	return (await Promise.all(parts)).join("\n");
}
