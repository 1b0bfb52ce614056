// Changes a published release and notes it, as one. Called by the routes of both systems; the decision is
// domain/release-change.ts.
import { FotaError } from "../../src/protocol/error-codes.js";
import type { LogEvent } from "../domain/event.js";
import { changeOf, type ReleaseWish, refuseSigned, type SignedFields } from "../domain/release-change.js";
import { appendEvents } from "./event-store.js";
import { lockRelease, updateRelease } from "./release-store.js";
import type { Records, ReleaseRow } from "./tables.js";

export interface ReleaseChangeRequest {
	readonly id: number;
	readonly wish: ReleaseWish;
	/** Must be what is signed. */
	readonly signed?: Partial<Record<keyof SignedFields, unknown>> | undefined;
	readonly nowMs: number;
	/** Last in the transaction that changes something. */
	readonly note: (transaction: Records, events: readonly LogEvent[]) => Promise<void>;
}

/** Throws `release-unknown`, `request-malformed` or `manifest-mismatch`. */
export async function changeRelease(
	db: Records,
	request: ReleaseChangeRequest,
): Promise<{ readonly release: ReleaseRow; readonly events: readonly LogEvent[] }> {
	return db.transaction().execute(async (transaction) => {
		const before = await lockRelease(transaction, request.id);
		if (before === undefined) throw new FotaError("release-unknown", "no such release");
		refuseSigned({ ...before, size: before.size_bytes }, request.signed ?? {});
		const { columns, events } = changeOf(before, request.wish, request.nowMs);
		if (Object.keys(columns).length === 0) return { release: before, events: [] };
		const { device_type, version } = before;
		const changes = { ...columns, updated_at_ms: request.nowMs };
		const release = await updateRelease(transaction, before.id, changes);
		const news: LogEvent[] = events.map(({ type, details }) => ({
			log: "fota",
			type,
			details: { device_type, version, ...details },
		}));
		await appendEvents(transaction, news, request.nowMs);
		await request.note(transaction, news);
		return { release, events: news };
	});
}
