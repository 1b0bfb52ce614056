// Is the process alive, and can it serve? GET health does no I/O: a supervisor that asks it must not restart a server
// because its database is away. GET ready is for whoever sends requests; why it is not ready is told to operators alone.
import { Type } from "typebox";
import type { Server, Services } from "../services.js";
import { describe } from "./operation.js";
import { sendProblem } from "./problems.js";

const CheckAnswer = Type.Object({
	ok: Type.Boolean(),
	duration_ms: Type.Integer(),
	reason: Type.Union([Type.String(), Type.Null()]),
});
const ChecksAnswer = Type.Object({ database: CheckAnswer, migrations: CheckAnswer, images: CheckAnswer });

const HEALTH = describe({
	tag: "Server",
	summary: "Does the process answer? Without asking its database",
	answers: { 200: Type.Object({ status: Type.Literal("ok") }) },
});
const READY = describe({
	tag: "Server",
	summary: "Can it serve? 503 while database or image store are out of reach; up to 2 s old",
	answers: { 200: Type.Object({ status: Type.Literal("ready") }) },
	errors: ["server-unavailable"],
});
const DETAILS = describe({
	tag: "Server",
	summary: "Why it is ready or not",
	answers: { 200: Type.Object({ ready: Type.Boolean(), checks: ChecksAnswer }) },
});

/** Open to all. */
export function registerHealthRoutes(server: Server, services: Services): void {
	server.get("/health", { logLevel: "warn", schema: HEALTH }, async () => ({ status: "ok" as const }));
	server.get("/ready", { logLevel: "warn", schema: READY }, async (_request, reply) => {
		const { isReady } = await services.readiness();
		if (isReady) return { status: "ready" as const };
		return sendProblem(reply, { status: 503, code: "server-unavailable", detail: "not ready" });
	});
}

/** In the scope of the operator routes. */
export function registerReadinessRoute(server: Server, services: Services): void {
	server.get("/api/ready", { config: { role: "viewer" }, schema: DETAILS }, async () => {
		const { isReady, checks } = await services.readiness();
		const told = Object.entries(checks).map(([name, { isOk, durationMs, reason }]) => [
			name,
			{ ok: isOk, duration_ms: durationMs, reason: reason ?? null },
		]);
		return { ready: isReady, checks: Object.fromEntries(told) };
	});
}
