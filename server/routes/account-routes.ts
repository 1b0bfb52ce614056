// What an operator does about itself: who am I, another password.
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { audit } from "../auth/audit.js";
import { checkCredentials } from "../auth/log-in.js";
import { operatorOf } from "../auth/operator.js";
import type { Server, Services } from "../services.js";
import { revokeSessions, changePassword as storePassword } from "../stores/user-store.js";
import { NewPasswordSchema, PasswordSchema, RoleSchema } from "./access-schemas.js";
import { describe } from "./operation.js";
import { sendProblem } from "./problems.js";

const PasswordBody = Type.Object(
	{ current_password: PasswordSchema, new_password: NewPasswordSchema },
	{ additionalProperties: false },
);
const MeAnswer = Type.Object({
	kind: Type.Union([Type.Literal("user"), Type.Literal("token")]),
	name: Type.String(),
	role: RoleSchema,
	must_change_password: Type.Boolean(),
});

const ME = describe({ tag: "Access", summary: "Who asks, with which role", answers: { 200: MeAnswer } });
const PASSWORD = describe({
	tag: "Access",
	summary: "Another password for the user who asks",
	description: "Ends all other sessions of the user. Attempts count as attempts to log in.",
	body: PasswordBody,
	answers: { 204: null },
	errors: ["auth-failed", "forbidden", "rate-limited", "request-malformed"],
});

export function registerAccountRoutes(server: Server, services: Services): void {
	const config = { role: "viewer", isOpenToNewUsers: true } as const;
	server.get("/api/auth/me", { config, schema: ME }, async (request) => {
		const { name, role, session } = operatorOf(request);
		return {
			kind: session === undefined ? "token" : "user",
			name,
			role,
			must_change_password: session?.mustChangePassword ?? false,
		};
	});
	server.post("/api/auth/password", { config, schema: PASSWORD }, async (request, reply) =>
		changePassword(services, request, reply, request.body),
	);
}

async function changePassword(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
	body: Static<typeof PasswordBody>,
): Promise<FastifyReply> {
	const { name, session } = operatorOf(request);
	if (session === undefined) throw new FotaError("forbidden", "a token has no password");
	const { current_password: password, new_password: newPassword } = body;
	if (newPassword === password || newPassword.toLowerCase().includes(name))
		throw new FotaError("request-malformed", "the new password is the old one, or has the user's name in it");
	// Threat: somebody at a screen that was left open.
	const outcome = await checkCredentials(services, { name, password, address: request.ip });
	if (outcome.kind === "locked") {
		reply.header("retry-after", outcome.retryAfterS);
		return sendProblem(reply, { status: 429, code: "rate-limited", detail: "too many attempts" });
	}
	if (outcome.kind === "refused") return refuse(services, request, reply);
	const passwordHash = await services.passwords.hash(newPassword);
	const nowMs = services.nowMs();
	const { id, password_hash: fromHash } = outcome.user;
	const isChanged = await services.db.transaction().execute(async (transaction) => {
		// Threat: the password that was checked was replaced meanwhile, because somebody had it who should not.
		if (!(await storePassword(transaction, { id, fromHash, toHash: passwordHash, nowMs }))) return false;
		await revokeSessions(transaction, { id, exceptId: session.id, nowMs });
		await audit(transaction, request, { action: "user.change-password", target: `user:${name}`, nowMs });
		return true;
	});
	return isChanged ? reply.code(204).send() : refuse(services, request, reply);
}

async function refuse(
	services: Services,
	request: FastifyRequest,
	reply: FastifyReply,
): Promise<FastifyReply> {
	const { actor, name } = operatorOf(request);
	const details = { name, address: request.ip, path: request.routeOptions.url };
	// Threat: whoever got hold of a session and guesses the password behind the noise of strangers.
	const event = { log: "security", type: "login_failed", details } as const;
	await services.refusals.note(event, actor, "current-password-wrong");
	return sendProblem(reply, { status: 401, code: "auth-failed", detail: "the current password is wrong" });
}
