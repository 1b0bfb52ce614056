// What all operator routes have in common: the admin token. Later: users and roles.
import type { FastifyReply, FastifyRequest } from "fastify";
import { isAdminToken } from "../auth/secrets.js";
import type { Server, Services } from "../services.js";
import { registerDeviceRegistryRoutes } from "./device-registry-routes.js";
import { registerDeviceStatusRoutes } from "./device-status-routes.js";
import { registerLogRoutes } from "./log-routes.js";
import { sendProblem } from "./problems.js";
import { registerReleaseRoutes } from "./release-routes.js";
import { registerUploadRoute } from "./upload-route.js";

const BEARER = /^Bearer +([\x21-\x7e]{1,256})$/i;

export async function registerAdminRoutes(server: Server, services: Services): Promise<void> {
	// Before the body is read: a stranger cannot make the server take an upload.
	server.addHook("onRequest", async (request, reply) => admit(services, request, reply));
	registerUploadRoute(server, services);
	registerReleaseRoutes(server, services);
	registerDeviceRegistryRoutes(server, services);
	registerDeviceStatusRoutes(server, services);
	registerLogRoutes(server, services);
}

async function admit(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
): Promise<FastifyReply | undefined> {
	const token = BEARER.exec(request.headers.authorization ?? "")?.[1];
	if (token !== undefined && isAdminToken(token, services.adminToken)) return undefined;
	const code = request.headers.authorization === undefined ? "auth-missing" : "auth-failed";
	request.log.debug({ code }, "operator refused");
	if (code === "auth-failed")
		await services.refusals.note({
			log: "security",
			type: "admin_auth_failed",
			details: { address: request.ip, path: request.routeOptions.url },
		});
	reply.header("www-authenticate", "Bearer");
	const detail = code === "auth-missing" ? "no bearer token" : "wrong bearer token";
	return sendProblem(reply, { status: 401, code, detail });
}
