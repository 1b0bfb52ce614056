// The connections to PostgreSQL, as Kysely's dialect takes them. Made by database.ts. While the database is away (stopped,
// restarted, full of others' connections, silent) every call throws `server-unavailable`, and works again once it is back;
// what PostgreSQL says about a statement (a broken constraint) passes unchanged.
import pg from "pg";
import { FotaError } from "../../src/protocol/error-codes.js";

/** A process's share of the server's connections (PostgreSQL: max_connections, 100 by default). */
const POOL_MAX = 10;
/** How long a request waits for a connection, and one statement or an idle transaction may take, before it is given up. */
const CONNECT_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 15_000;
const TIME_LIMITS = {
	statement_timeout: STATEMENT_TIMEOUT_MS,
	idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
	// Threat: a server that went away without a word (power, network) would hold requests until TCP gives up.
	query_timeout: 2 * STATEMENT_TIMEOUT_MS,
};
const INT8_OID = 20;

/**
 * SQLSTATE (PostgreSQL's appendix A) of what is no fault of the statement: connection lost or refused, wrong password, no
 * such database, read-only, deadlock, too many connections, out of memory, waited too long, shut down, I/O error.
 */
const AWAY = /^(08...|28...|3D000|25006|40...|53[0-9A-Z]00|55P03|57014|57P0[1-5]|58...)$/;
/** A full disk is told apart by routes/problems.ts. */
export const POSTGRES_DISK_FULL = "53100";
/** SQLSTATE where a text has a character that the database cannot keep: NUL, or one its encoding has no place for. */
export const POSTGRES_TEXT_REFUSED = ["22021", "22P05"] as const;

export interface PoolCounts {
	readonly total: number;
	readonly idle: number;
	/** Requests that wait for a connection. */
	readonly waiting: number;
}

interface GuardedClient {
	query(...args: readonly unknown[]): unknown;
	release(): void;
}

export interface GuardedPool {
	connect(): Promise<GuardedClient>;
	end(): Promise<void>;
	counts(): PoolCounts;
}

/** `hasTimeLimits` false: statements and transactions take as long as they do. Default: true. */
export function createPostgresPool(
	url: string,
	{ hasTimeLimits = true }: { readonly hasTimeLimits?: boolean } = {},
): GuardedPool {
	const pool = new pg.Pool({
		connectionString: url,
		max: POOL_MAX,
		connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
		application_name: "fota-server",
		...(hasTimeLimits ? TIME_LIMITS : { keepAlive: true }),
		types: { getTypeParser: typeParser },
	});
	// An idle connection that breaks is replaced at the next query; unheard, the event would end the process.
	pool.on("error", () => {});
	return {
		async connect() {
			try {
				return guard(await pool.connect());
			} catch (error) {
				throw translate(error);
			}
		},
		end: () => pool.end(),
		counts: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
	};
}

/** A client that was lent out. */
function guard(client: pg.PoolClient): GuardedClient {
	let isBroken = false;
	// The connection may break between two statements of a transaction; unheard, the event would end the process.
	const noteBreak = () => {
		isBroken = true;
	};
	client.on("error", noteBreak);
	return {
		async query(...args) {
			try {
				return await (client.query as (...all: readonly unknown[]) => unknown)(...args);
			} catch (error) {
				const translated = translate(error);
				// It may still have the statement under way: not for anybody else.
				if (translated !== error) isBroken = true;
				throw translated;
			}
		},
		release() {
			client.off("error", noteBreak);
			client.release(isBroken);
		},
	};
}

function translate(error: unknown): unknown {
	if (error instanceof TypeError || error instanceof RangeError || error instanceof FotaError) return error;
	const { code } = error as { readonly code?: string };
	if (error instanceof pg.DatabaseError) {
		if (code === undefined || code === POSTGRES_DISK_FULL || !AWAY.test(code)) return error;
	}
	// The code alone: the message may name hosts and users.
	const reason = code === undefined ? "" : ` (${code})`;
	return new FotaError("server-unavailable", `the database is out of reach${reason}`, { cause: error });
}

// Counts, ids, nonces and times stay below 2^53, so they are numbers as in SQLite.
function typeParser(oid: number, format?: "text" | "binary") {
	return oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format as "text");
}
