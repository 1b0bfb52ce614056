// Can this process serve? Asked by whoever sends it requests (a load balancer), so cheaply, and the same answer serves all
// for a moment. Made by app.ts, told by routes/health-routes.ts.
import { FotaError } from "../src/protocol/error-codes.js";
import type { ImageStore } from "./stores/image-store.js";
import { pendingMigrations } from "./stores/migrate.js";
import { writeReadiness } from "./stores/readiness-store.js";
import type { Records } from "./stores/tables.js";
import { within } from "./within.js";

export interface Check {
	readonly isOk: boolean;
	readonly durationMs: number;
	/** Why not; a code, nothing secret. */
	readonly reason?: string | undefined;
}

export interface Readiness {
	readonly isReady: boolean;
	readonly checks: Readonly<Record<"database" | "migrations" | "images", Check>>;
}

export interface ReadinessTools {
	readonly db: Records;
	readonly images: ImageStore;
	readonly nowMs: () => number;
}

/** How long an answer serves, and how long one check may take, in milliseconds. */
const KEPT_MS = 2000;
const TIMEOUT_MS = 3000;

/** Returns what tells whether it is ready; it never throws. */
export function createReadiness(tools: ReadinessTools): () => Promise<Readiness> {
	let known: { readonly atMs: number; readonly answer: Promise<Readiness> } | undefined;
	return () => {
		const nowMs = performance.now();
		if (known === undefined || nowMs - known.atMs >= KEPT_MS)
			known = { atMs: nowMs, answer: checkAll(tools) };
		return known.answer;
	};
}

async function checkAll({ db, images, nowMs }: ReadinessTools): Promise<Readiness> {
	const [database, migrations, store] = await Promise.all([
		// A write: a disk that is full and a database that was made read-only still answer reads.
		check(() => writeReadiness(db, nowMs())),
		check(() => refuseMissing(db)),
		check(() => images.check()),
	]);
	const isReady = database.isOk && migrations.isOk && store.isOk;
	return { isReady, checks: { database, migrations, images: store } };
}

// Migrations that are newer than this server are none of its business: they come with a newer server beside it.
async function refuseMissing(db: Records): Promise<void> {
	const missing = await pendingMigrations(db);
	if (missing.length > 0)
		throw new FotaError("server-unavailable", `migrations missing: ${missing.join(", ")}`);
}

async function check(task: () => Promise<void>): Promise<Check> {
	const startMs = performance.now();
	const durationMs = () => Math.round(performance.now() - startMs);
	try {
		await within(TIMEOUT_MS, task());
		return { isOk: true, durationMs: durationMs() };
	} catch (error) {
		return { isOk: false, durationMs: durationMs(), reason: reasonOf(error) };
	}
}

/** Of an error that is not ours the code alone: its message may have paths and addresses in it. */
function reasonOf(error: unknown): string {
	if (error instanceof FotaError) return error.message;
	return (error as NodeJS.ErrnoException).code ?? (error as Error).name;
}
