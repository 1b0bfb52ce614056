// The chain of the audit log: what the hash of a line covers, and whether a line fits the one before it. Pure; called by
// stores/audit-store.ts. The format is in docs/operation.md ("The audit log"), for whoever checks a copy.
import { createHash } from "node:crypto";

export interface AuditLine {
	/** Rises by one from 1: a gap is a line that is gone. */
	readonly id: number;
	readonly at_ms: number;
	/** user:NAME, token:NAME, or server. */
	readonly actor: string;
	readonly role: string | null;
	/** What was done, as noun.verb. */
	readonly action: string;
	/** To what; null where the action says it all. */
	readonly target: string | null;
	/** JSON object, as text. */
	readonly details: string;
	readonly request_id: string | null;
	readonly address: string | null;
	/** Of the line before, hex; {@link FIRST_HASH} for the first. */
	readonly previous_hash: string;
}

export const FIRST_HASH = "0".repeat(64);
/** Another one if a field is added, so that no two formats share an encoding. */
const FORMAT = "FOTA-AUDIT-1";

/** SHA-256, hex, over a JSON array: its strings are quoted, so that no field can reach into the next. */
export function auditHash(line: AuditLine): string {
	const fields = [
		FORMAT,
		line.id,
		line.at_ms,
		line.actor,
		line.role,
		line.action,
		line.target,
		line.details,
		line.request_id,
		line.address,
		line.previous_hash,
	];
	return createHash("sha256").update(JSON.stringify(fields)).digest("hex");
}

export type AuditFault = "missing" | "not-linked" | "changed";

/** What is wrong with a line that follows `previous`; undefined when it is whole. */
export function faultOf(
	line: AuditLine & { readonly hash: string },
	previous: { readonly id: number; readonly hash: string },
): AuditFault | undefined {
	if (line.id !== previous.id + 1) return "missing";
	if (line.previous_hash !== previous.hash) return "not-linked";
	return auditHash(line) === line.hash ? undefined : "changed";
}
