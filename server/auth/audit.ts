// Writes what an operator changed to the audit log, in the transaction of the change. Called by every operator route that
// changes something; the log itself is stores/audit-store.ts.
import type { FastifyRequest } from "fastify";
import type { EventDetails } from "../domain/event.js";
import { appendAudit } from "../stores/audit-store.js";
import type { Records } from "../stores/tables.js";
import { operatorOf } from "./operator.js";

export interface AuditedAction {
	/** noun.verb, such as release.deactivate. */
	readonly action: string;
	/** What was changed, as noun:ID, such as device:lamp-1. */
	readonly target?: string | undefined;
	/** What it was changed to. Never a secret. */
	readonly details?: EventDetails | undefined;
	readonly nowMs: number;
}

/**
 * The last statement of the transaction, after appendEvents(): other servers wait with their lines until it ends. What
 * the server does by itself goes through appendAudit() with the actor "server".
 */
export async function audit(
	transaction: Records,
	request: FastifyRequest,
	done: AuditedAction,
): Promise<void> {
	const { actor, role } = operatorOf(request);
	await appendAudit(transaction, { ...done, actor, role, requestId: request.id, address: request.ip });
}
