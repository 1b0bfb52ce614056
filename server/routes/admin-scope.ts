// What all operator routes have in common: who asks (a user's access token, or an API token), and whether the role that
// the route names allows it. The routes find the operator by operatorOf(request).
import type { FastifyReply, FastifyRequest } from "fastify";
import { operatorOf } from "../auth/operator.js";
import { operatorBehind } from "../auth/operator-authenticator.js";
import { isAllowed, type Role } from "../domain/role.js";
import type { Server, Services } from "../services.js";
import { registerAccountRoutes } from "./account-routes.js";
import { registerAuditRoutes } from "./audit-routes.js";
import { registerDeviceKeyRoutes } from "./device-key-routes.js";
import { registerDeviceRegistryRoutes } from "./device-registry-routes.js";
import { registerDeviceManagementRoutes } from "./device-routes.js";
import { registerDeviceStatusRoutes } from "./device-status-routes.js";
import { registerEventStreamRoute } from "./event-stream-route.js";
import { registerExposureRoute } from "./exposure-route.js";
import { registerFirmwareRoutes } from "./firmware-routes.js";
import { registerReadinessRoute } from "./health-routes.js";
import { registerLogRoutes } from "./log-routes.js";
import { registerViewersMetricsRoute } from "./metrics-route.js";
import { registerOtaUploadRoutes } from "./ota-upload-routes.js";
import { sendProblem } from "./problems.js";
import { registerReleaseRoutes } from "./release-routes.js";
import { registerRolloutActionRoutes } from "./rollout-action-routes.js";
import { registerRolloutRoutes } from "./rollout-routes.js";
import { registerTokenRoutes } from "./token-routes.js";
import { registerUpdateRoutes } from "./update-routes.js";
import { registerUploadRoute } from "./upload-route.js";
import { registerUserRoutes } from "./user-routes.js";
import { registerWebhookDeliveryRoutes } from "./webhook-delivery-routes.js";
import { registerWebhookRoutes } from "./webhook-routes.js";

export async function registerAdminRoutes(server: Server, services: Services): Promise<void> {
	// A route that forgets its role is open to nobody: it stops the start.
	server.addHook("onRoute", ({ method, url, config }) => {
		if (config?.role === undefined && method !== "OPTIONS") throw new Error(`${method} ${url} names no role`);
	});
	// Before the body is read: a stranger cannot make the server take an upload.
	server.addHook("onRequest", async (request, reply) => admit(services, request, reply));
	// And behind it. Threat: whoever is about to lose a right, begins a request and takes minutes for its last byte.
	server.addHook("preHandler", async (request, reply) => {
		if (request.method !== "GET") return admit(services, request, reply);
	});
	// Behind the answer, and so behind the commit. Nothing is told where nothing was changed.
	server.addHook("onResponse", async ({ method }) => {
		if (method !== "GET") void services.auditHeads.tell();
	});
	registerUploadRoute(server, services);
	registerReleaseRoutes(server, services);
	await registerOtaUploadRoutes(server, services);
	registerFirmwareRoutes(server, services);
	registerExposureRoute(server, services);
	registerDeviceRegistryRoutes(server, services);
	registerDeviceStatusRoutes(server, services);
	registerDeviceManagementRoutes(server, services);
	registerDeviceKeyRoutes(server, services);
	registerUpdateRoutes(server, services);
	registerRolloutRoutes(server, services);
	registerRolloutActionRoutes(server, services);
	registerLogRoutes(server, services);
	registerAuditRoutes(server, services);
	registerAccountRoutes(server, services);
	registerUserRoutes(server, services);
	registerTokenRoutes(server, services);
	registerEventStreamRoute(server, services);
	registerReadinessRoute(server, services);
	registerViewersMetricsRoute(server, services);
	registerWebhookRoutes(server, services);
	registerWebhookDeliveryRoutes(server, services);
}

async function admit(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
): Promise<FastifyReply | undefined> {
	const operator = await operatorBehind(services, request);
	if (operator === undefined) return refuseStranger(services, request, reply);
	request.operator = operator;
	const needed = request.routeOptions.config.role ?? "admin";
	if (!isAllowed(operator.role, needed)) return refuseRole(services, request, reply, needed);
	return refuseNewUser(request, reply);
}

async function refuseStranger(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
): Promise<FastifyReply> {
	const code = request.headers.authorization === undefined ? "auth-missing" : "auth-failed";
	request.log.debug({ code }, "operator refused");
	if (code === "auth-failed")
		await services.refusals.note(
			{
				log: "security",
				type: "admin_auth_failed",
				details: { address: request.ip, method: request.method, path: request.routeOptions.url },
			},
			request.ip,
		);
	reply.header("www-authenticate", "Bearer");
	const detail = code === "auth-missing" ? "no bearer token" : "wrong or expired bearer token";
	return sendProblem(reply, { status: 401, code, detail });
}

async function refuseRole(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
	needed: Role,
): Promise<FastifyReply> {
	const { actor, role } = operatorOf(request);
	const { ip: address, method } = request;
	const details = { actor, role, needed, address, method, path: request.routeOptions.url };
	await services.refusals.note({ log: "security", type: "access_denied", details }, actor);
	return sendProblem(reply, { status: 403, code: "forbidden", detail: `needs the role ${needed}` });
}

// A one-time password has been on a screen, in a mail or in a log of somebody's terminal: it opens nothing else.
function refuseNewUser(request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
	const isNew = operatorOf(request).session?.mustChangePassword === true;
	if (!isNew || request.routeOptions.config.isOpenToNewUsers === true) return undefined;
	const detail = "the one-time password must be changed first: POST /api/auth/password";
	return sendProblem(reply, { status: 403, code: "password-change-needed", detail });
}
