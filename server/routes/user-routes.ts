// Users, for an admin: list, add, change. None is removed: one that is not active cannot log in, and what it did stays
// somebody's.
import type { FastifyRequest } from "fastify";
import { type Static, Type } from "typebox";
import { FotaError } from "../../src/protocol/error-codes.js";
import { audit } from "../auth/audit.js";
import { makeOneTimePassword } from "../auth/passwords.js";
import type { Server, Services } from "../services.js";
import { takeLock } from "../stores/locks.js";
import type { Records, UserRow } from "../stores/tables.js";
import {
	addUser,
	countAdmins,
	findUser,
	listUsers,
	revokeSessions,
	updateUser,
} from "../stores/user-store.js";
import { RoleSchema, UserAnswer, UserNameSchema } from "./access-schemas.js";
import { describe } from "./operation.js";
import { LimitSchema } from "./schemas.js";
import { timeOf } from "./time.js";

const ListQuery = Type.Object(
	{ after: Type.Optional(UserNameSchema), limit: Type.Optional(LimitSchema) },
	{ additionalProperties: false },
);
const CreateBody = Type.Object({ name: UserNameSchema, role: RoleSchema }, { additionalProperties: false });
const UserPath = Type.Object({ name: UserNameSchema }, { additionalProperties: false });
const PatchBody = Type.Object(
	{
		role: Type.Optional(RoleSchema),
		is_active: Type.Optional(Type.Boolean()),
		reset_password: Type.Optional(
			Type.Literal(true, { description: "Gives the user a one-time password and ends all its sessions" }),
		),
	},
	{ additionalProperties: false, minProperties: 1 },
);
const OneTime = Type.Object({
	user: UserAnswer,
	one_time_password: Type.Optional(
		Type.String({ description: "Shown this once. Must be changed at the first log-in" }),
	),
});

const LIST = describe({
	tag: "Access",
	summary: "Users, in order of name",
	querystring: ListQuery,
	answers: {
		200: Type.Object({
			users: Type.Array(UserAnswer),
			next_after: Type.Union([Type.String(), Type.Null()]),
		}),
	},
});
const CREATE = describe({
	tag: "Access",
	summary: "Add a user, with a one-time password",
	body: CreateBody,
	answers: { 201: OneTime },
	errors: ["name-taken"],
});
const PATCH = describe({
	tag: "Access",
	summary: "Change a user's role, deactivate it, or reset its password",
	description: "Takes effect at once, on requests with tokens that were given before as well.",
	params: UserPath,
	body: PatchBody,
	answers: { 200: OneTime },
	errors: ["not-found", "last-admin"],
});

export function registerUserRoutes(server: Server, services: Services): void {
	const config = { role: "admin" } as const;
	server.get("/api/users", { config, schema: LIST }, async (request) => {
		const { after, limit = 100 } = request.query;
		const rows = await listUsers(services.db, { after, limit });
		return { users: rows.map(userAnswer), next_after: rows.at(-1)?.name ?? after ?? null };
	});
	server.post("/api/users", { config, schema: CREATE }, async (request, reply) => {
		reply.header("cache-control", "no-store");
		return reply.code(201).send(await createUser(services, request, request.body));
	});
	server.patch("/api/users/:name", { config, schema: PATCH }, async (request, reply) => {
		reply.header("cache-control", "no-store");
		return changeUser(services, request, { name: request.params.name, changes: request.body });
	});
}

async function createUser(services: Services, request: FastifyRequest, body: Static<typeof CreateBody>) {
	const { name, role } = body;
	const password = makeOneTimePassword();
	const passwordHash = await services.passwords.hash(password);
	const nowMs = services.nowMs();
	const row = await services.db.transaction().execute(async (transaction) => {
		const user = await addUser(transaction, {
			name,
			password_hash: passwordHash,
			role,
			is_active: 1,
			must_change_password: 1,
			created_at_ms: nowMs,
			updated_at_ms: nowMs,
			last_login_at_ms: null,
		});
		if (user === undefined) throw new FotaError("name-taken", "there is a user of this name");
		await audit(transaction, request, {
			action: "user.create",
			target: `user:${name}`,
			details: { role },
			nowMs,
		});
		return user;
	});
	return { user: userAnswer(row), one_time_password: password };
}

async function changeUser(
	services: Services,
	request: FastifyRequest,
	{ name, changes }: { readonly name: string; readonly changes: Static<typeof PatchBody> },
) {
	const password = changes.reset_password ? makeOneTimePassword() : undefined;
	const passwordHash = password && (await services.passwords.hash(password));
	const nowMs = services.nowMs();
	const row = await services.db.transaction().execute(async (transaction) => {
		// Two admins that demote each other at once would leave none.
		await takeLock(transaction, "users");
		const user = await findUser(transaction, name);
		if (user === undefined) throw new FotaError("not-found", "no such user");
		const updated = await updateUser(transaction, user.id, {
			...(changes.role !== undefined && { role: changes.role }),
			...(changes.is_active !== undefined && { is_active: changes.is_active ? 1 : 0 }),
			...(passwordHash !== undefined && { password_hash: passwordHash, must_change_password: 1 }),
			updated_at_ms: nowMs,
		});
		await refuseLastAdmin(transaction, user);
		if (passwordHash !== undefined || changes.is_active === false)
			await revokeSessions(transaction, { id: user.id, nowMs });
		await audit(transaction, request, {
			action: "user.change",
			target: `user:${name}`,
			details: changes,
			nowMs,
		});
		return updated;
	});
	return {
		user: userAnswer(row),
		...(password !== undefined && { one_time_password: password }),
	};
}

// After the change, within its transaction: the error undoes it.
async function refuseLastAdmin(transaction: Records, before: UserRow): Promise<void> {
	const wasAdmin = before.role === "admin" && before.is_active === 1;
	if (wasAdmin && (await countAdmins(transaction)) === 0)
		throw new FotaError("last-admin", "no active admin would be left");
}

function userAnswer(row: UserRow) {
	return {
		name: row.name,
		role: row.role,
		is_active: row.is_active === 1,
		must_change_password: row.must_change_password === 1,
		created_at: timeOf(row.created_at_ms),
		updated_at: timeOf(row.updated_at_ms),
		last_login_at: timeOf(row.last_login_at_ms),
	};
}
