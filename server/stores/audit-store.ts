// The audit log: every change an operator makes, chained by hash so that a line that was removed, changed or moved shows.
// Appended in the transaction of the change itself. It must not know requests: auth/audit.ts does.
import { type AuditFault, type AuditLine, auditHash, FIRST_HASH, faultOf } from "../domain/audit-chain.js";
import type { EventDetails } from "../domain/event.js";
import { takeLock } from "./locks.js";
import type { AuditLogRow, Records } from "./tables.js";

export interface AuditEntry {
	/** user:NAME, token:NAME, or "server" for what it does by itself. */
	readonly actor: string;
	readonly role?: string | undefined;
	readonly action: string;
	readonly target?: string | undefined;
	/** Never a secret. */
	readonly details?: EventDetails | undefined;
	readonly requestId?: string | undefined;
	readonly address?: string | undefined;
	readonly nowMs: number;
}

/** The last line there is: kept elsewhere, it shows whether the end of the log was cut off. */
export interface AuditHead {
	readonly id: number;
	readonly hash: string;
}

const START: AuditHead = { id: 0, hash: FIRST_HASH };

/** Only within the transaction of the change, and last in it, after appendEvents(): others wait until it ends. */
export async function appendAudit(transaction: Records, entry: AuditEntry): Promise<void> {
	await takeLock(transaction, "audit");
	const head = await findAuditHead(transaction);
	const line: AuditLine = {
		id: head.id + 1,
		at_ms: entry.nowMs,
		actor: entry.actor,
		role: entry.role ?? null,
		action: entry.action,
		target: entry.target ?? null,
		details: JSON.stringify(entry.details ?? {}),
		request_id: entry.requestId ?? null,
		address: entry.address ?? null,
		previous_hash: head.hash,
	};
	await transaction
		.insertInto("audit_log")
		.values({ ...line, hash: auditHash(line) })
		.execute();
}

/** Id 0 for an empty log. */
export async function findAuditHead(db: Records): Promise<AuditHead> {
	const row = await db
		.selectFrom("audit_log")
		.select(["id", "hash"])
		.orderBy("id", "desc")
		.limit(1)
		.executeTakeFirst();
	return row ?? START;
}

export interface AuditQuery {
	readonly actor?: string | undefined;
	readonly action?: string | undefined;
	readonly target?: string | undefined;
	readonly sinceMs?: number | undefined;
	readonly untilMs?: number | undefined;
	/** Only lines with a higher id, the oldest first. Without it: the newest ones, below `before` where given. */
	readonly after?: number | undefined;
	readonly before?: number | undefined;
	readonly limit: number;
}

/** In rising order of id. */
export async function listAudit(db: Records, options: AuditQuery): Promise<AuditLogRow[]> {
	let query = db.selectFrom("audit_log").selectAll().limit(options.limit);
	for (const column of ["actor", "action", "target"] as const) {
		const value = options[column];
		if (value !== undefined) query = query.where(column, "=", value);
	}
	if (options.sinceMs !== undefined) query = query.where("at_ms", ">=", options.sinceMs);
	if (options.untilMs !== undefined) query = query.where("at_ms", "<", options.untilMs);
	if (options.before !== undefined) query = query.where("id", "<", options.before);
	if (options.after !== undefined)
		return query.where("id", ">", options.after).orderBy("id", "asc").execute();
	return (await query.orderBy("id", "desc").execute()).reverse();
}

export interface AuditCheck {
	readonly checkedCount: number;
	/** The last line that was looked at and is whole. */
	readonly last: AuditHead;
	readonly fault: { readonly id: number; readonly kind: AuditFault } | undefined;
	readonly isAtEnd: boolean;
}

/** Walks the chain behind line `after` (0: from the start) for at most `limit` lines. */
export async function checkAudit(
	db: Records,
	page: { readonly after: number; readonly limit: number },
): Promise<AuditCheck> {
	let last = await findLine(db, page.after);
	if (last === undefined) {
		const fault = { id: page.after, kind: "missing" as const };
		return { checkedCount: 0, last: { id: page.after, hash: "" }, fault, isAtEnd: true };
	}
	const rows = await listAudit(db, { after: page.after, limit: page.limit });
	let checkedCount = 0;
	for (const row of rows) {
		const kind = faultOf(row, last);
		// Where lines are gone, the number of the first of them says more than that of the next one there is.
		const id = kind === "missing" ? last.id + 1 : row.id;
		if (kind !== undefined) return { checkedCount, last, fault: { id, kind }, isAtEnd: true };
		last = { id: row.id, hash: row.hash };
		checkedCount++;
	}
	return { checkedCount, last, fault: undefined, isAtEnd: rows.length < page.limit };
}

/** Id 0: what stands before the first line. */
export async function findLine(db: Records, id: number): Promise<AuditHead | undefined> {
	if (id === START.id) return START;
	return db.selectFrom("audit_log").select(["id", "hash"]).where("id", "=", id).executeTakeFirst();
}
