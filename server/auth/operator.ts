// Who is behind an operator's request: a user who logged in, or an API token. Set by the hook of the operator routes
// (routes/admin-scope.ts); the routes ask operatorOf().
import type { FastifyRequest } from "fastify";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { Role } from "../domain/role.js";

export interface Operator {
	/** As in the audit log: user:NAME or token:NAME. */
	readonly actor: string;
	readonly name: string;
	readonly role: Role;
	/** When the request was let in. */
	readonly admittedAtMs: number;
	/** Undefined for a token. */
	readonly session: OperatorSession | undefined;
}

export interface OperatorSession {
	readonly id: string;
	readonly userId: number;
	readonly mustChangePassword: boolean;
}

declare module "fastify" {
	interface FastifyRequest {
		/** Set on operator routes once it is known who asks. */
		operator: Operator | undefined;
	}
	interface FastifyContextConfig {
		/** The least role that may call the route; required of every operator route. */
		role?: Role;
		/** True: may be called with a one-time password that was not changed yet. */
		isOpenToNewUsers?: boolean;
	}
}

/** The operator behind the request. */
export function operatorOf(request: FastifyRequest): Operator {
	const { operator } = request;
	if (!operator) throw new FotaError("server-failed", "operator route without an operator");
	return operator;
}
