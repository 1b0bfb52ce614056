// Writes the last line of the audit log, its number and hash, to the server's log whenever there is a new one. Kept
// elsewhere than the database, it shows when the end of the audit log is cut off or written anew. Made by app.ts; told by
// the operators' routes behind each change, and by the clock for what the server does by itself.
import type { FastifyBaseLogger } from "fastify";
import { type AuditHead, findAuditHead } from "./stores/audit-store.js";
import type { Records } from "./stores/tables.js";

/** How late what the server does by itself is in the log, at most. */
export const AUDIT_HEAD_TASK_MS = 30_000;

export interface AuditHeads {
	/**
	 * Writes the head as it is committed, if it is another one than before; `isAlways`: in any case. Not from within the
	 * transaction of the change: one that is rolled back would leave a line that never was. Never throws.
	 */
	tell(isAlways?: boolean): Promise<void>;
	/** What is being told is told. */
	idle(): Promise<void>;
}

export interface AuditHeadsOptions {
	readonly db: Records;
	readonly log: FastifyBaseLogger;
}

export function createAuditHeads({ db, log }: AuditHeadsOptions): AuditHeads {
	let told: AuditHead | undefined;
	let telling = Promise.resolve();
	const tellNow = async (isAlways: boolean) => {
		try {
			const head = await findAuditHead(db);
			const fields = { audit_id: head.id, audit_hash: head.hash };
			// Threat: an intruder who takes the last lines out while the server runs.
			if (told !== undefined && isCut(told, head))
				log.error(
					{ ...fields, told_id: told.id, told_hash: told.hash },
					"the end of the audit log was changed",
				);
			else if (isAlways || head.id !== told?.id) log.info(fields, "audit log head");
			told = head;
		} catch (error) {
			log.error({ err: error }, "audit log head not read");
		}
	};
	return {
		tell(isAlways = false) {
			// One after the other: a head that was read earlier must not be compared with a later one.
			telling = telling.then(() => tellNow(isAlways));
			return telling;
		},
		idle: () => telling,
	};
}

function isCut(told: AuditHead, head: AuditHead): boolean {
	return head.id < told.id || (head.id === told.id && head.hash !== told.hash);
}
