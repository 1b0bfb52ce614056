// The routes that need no token: log in, refresh, log out. Everything else an operator does is behind admin-scope.ts.
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { checkCredentials, type LogIn } from "../auth/log-in.js";
import {
	endSession,
	openSession,
	REFRESH_TOKEN_SCHEMA_PATTERN,
	refreshSession,
	type SessionTokens,
} from "../auth/sessions.js";
import type { Server, Services } from "../services.js";
import { appendAudit } from "../stores/audit-store.js";
import type { UserRow } from "../stores/tables.js";
import { PasswordSchema, SessionAnswer, UserNameSchema } from "./access-schemas.js";
import { describe } from "./operation.js";
import { sendProblem } from "./problems.js";

const LoginBody = Type.Object(
	{ name: UserNameSchema, password: PasswordSchema },
	{ additionalProperties: false },
);
const RefreshBody = Type.Object(
	{ refresh_token: Type.String({ pattern: REFRESH_TOKEN_SCHEMA_PATTERN }) },
	{ additionalProperties: false },
);

const LOGIN = describe({
	tag: "Access",
	summary: "Log in",
	description:
		"After ten attempts of one name, or fifty of one address, within 15 minutes: 429 until they are over.",
	body: LoginBody,
	answers: { 200: SessionAnswer },
	errors: ["auth-failed", "rate-limited"],
});
const REFRESH = describe({
	tag: "Access",
	summary: "A new access token, and the next refresh token",
	description: "A refresh token is good once. One that comes a second time was stolen: it ends the session.",
	body: RefreshBody,
	answers: { 200: SessionAnswer },
	errors: ["auth-failed"],
});
const LOGOUT = describe({
	tag: "Access",
	summary: "End the session, its access tokens at once",
	body: RefreshBody,
	answers: { 204: null },
});

export function registerLoginRoutes(server: Server, services: Services): void {
	server.post("/api/auth/login", { schema: LOGIN }, async (request, reply) => {
		const outcome = await checkCredentials(services, { ...request.body, address: request.ip });
		if (outcome.kind !== "accepted") return refuseLogin(services, request, reply, outcome);
		const tokens = await logIn(services, request, outcome.user);
		if (tokens === undefined)
			return refuseLogin(services, request, reply, { kind: "refused", isNameKnown: true });
		return noStore(reply).send(tokens);
	});
	server.post("/api/auth/refresh", { schema: REFRESH }, async (request, reply) =>
		refresh(services, request, reply, request.body),
	);
	server.post("/api/auth/logout", { schema: LOGOUT }, async (request, reply) => {
		await endSession(services, request.body.refresh_token);
		return reply.code(204).send();
	});
}

/** Undefined: what was checked does not hold any more. */
async function logIn(
	services: Services,
	request: FastifyRequest,
	user: UserRow,
): Promise<SessionTokens | undefined> {
	const nowMs = services.nowMs();
	return services.db.transaction().execute(async (transaction) => {
		const tokens = await openSession(services, transaction, user);
		if (tokens === undefined) return undefined;
		await appendAudit(transaction, {
			actor: `user:${user.name}`,
			role: user.role,
			action: "session.open",
			requestId: request.id,
			address: request.ip,
			nowMs,
		});
		return tokens;
	});
}

async function refuseLogin(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
	outcome: Exclude<LogIn, { kind: "accepted" }>,
): Promise<FastifyReply> {
	const { name } = request.body as Static<typeof LoginBody>;
	const isLocked = outcome.kind === "locked";
	const details = {
		// A name that nobody has may be a password in the wrong field.
		name: outcome.kind === "refused" && outcome.isNameKnown ? name : undefined,
		address: request.ip,
	};
	const type = isLocked ? "login_locked" : "login_failed";
	await services.refusals.note({ log: "security", type, details }, request.ip);
	if (outcome.kind === "refused")
		return sendProblem(reply, { status: 401, code: "auth-failed", detail: "wrong name or password" });
	reply.header("retry-after", outcome.retryAfterS);
	return sendProblem(reply, { status: 429, code: "rate-limited", detail: "too many attempts to log in" });
}

async function refresh(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
	body: Static<typeof RefreshBody>,
): Promise<FastifyReply> {
	const outcome = await refreshSession(services, body.refresh_token);
	if (outcome.kind === "refreshed") return noStore(reply).send(outcome.tokens);
	const isReused = outcome.kind === "reused";
	const details = {
		name: isReused ? outcome.userName : undefined,
		address: request.ip,
		path: request.routeOptions.url,
	};
	const event = {
		log: "security",
		type: isReused ? "refresh_token_reused" : "login_failed",
		details,
	} as const;
	// Threat: invented refresh tokens, which cost nothing, that hide who guesses passwords.
	await services.refusals.note(event, request.ip, isReused ? undefined : "refresh-token-unknown");
	return sendProblem(reply, { status: 401, code: "auth-failed", detail: "log in again" });
}

/** No intermediary may keep it. */
function noStore(reply: FastifyReply): FastifyReply {
	return reply.header("cache-control", "no-store");
}
