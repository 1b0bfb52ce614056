// Ends a download under way when the device may not have the release any more: one answer may hold a whole image, and a slow
// line takes minutes for it. Called by the chunk route and the download route.
import type { Readable } from "node:stream";
import type { Caller } from "../auth/device-authenticator.js";
import { mayDownload } from "../domain/download-right.js";
import type { Services } from "../services.js";
import { findDevice, isSameBoard } from "../stores/device-store.js";
import { findReleaseById } from "../stores/release-store.js";
import type { ReleaseRow } from "../stores/tables.js";

/** Returns the stream, which it cuts. */
export function endWithRight(
	services: Pick<Services, "db" | "downloadRecheckMs">,
	stream: Readable,
	asked: { readonly caller: Caller; readonly release: ReleaseRow },
): Readable {
	let isAsking = false;
	const timer = setInterval(async () => {
		// A database that is slow is not asked by each download again and again.
		if (isAsking) return;
		isAsking = true;
		if (await isOver(services, asked)) stream.destroy();
		isAsking = false;
	}, services.downloadRecheckMs).unref();
	return stream.once("close", () => clearInterval(timer));
}

async function isOver(
	{ db }: Pick<Services, "db">,
	{ caller: { device }, release }: Parameters<typeof endWithRight>[2],
): Promise<boolean> {
	try {
		const now = await findDevice(db, device.device_id);
		const offered = await findReleaseById(db, release.id);
		if (now === undefined || offered === undefined || !isSameBoard(now, device)) return true;
		return now.decommissioned_at_ms !== null || !mayDownload(now, offered);
	} catch {
		// The database is away; the image is there.
		return false;
	}
}
