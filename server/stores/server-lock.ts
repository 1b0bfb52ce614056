// One process serves from a SQLite database: the locks that order several are PostgreSQL's (locks.ts). This one is of the
// system, on a file of its own beside the database, so that it ends with the process however that ends; taken by means of
// SQLite, since Node has no call for it. Used by open-stores.ts.
import Database from "libsql";
import { FotaError } from "../../src/protocol/error-codes.js";

/** Returns what gives it back, idempotent. Throws `server-unavailable` while another process has it. */
export function takeServerLock(path: string): () => void {
	const holder = new Database(path);
	try {
		holder.pragma("busy_timeout = 0");
		holder.exec("begin exclusive");
	} catch (cause) {
		holder.close();
		if ((cause as { readonly code?: string }).code !== "SQLITE_BUSY") throw cause;
		throw new FotaError(
			"server-unavailable",
			`another server has ${path}: stop it, or give this one a FOTA_DATA of its own, or both a DATABASE_URL`,
			{ cause },
		);
	}
	let isHeld = true;
	return () => {
		if (!isHeld) return;
		isHeld = false;
		holder.exec("rollback");
		holder.close();
	};
}
