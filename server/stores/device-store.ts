// Registered devices and their nonces.
import type { DeviceRow, Records } from "./tables.js";

export interface Registration {
	readonly deviceId: string;
	readonly deviceType: string;
	readonly chip: string | undefined;
	/** Imported key, hex; undefined when the key is derived. */
	readonly deviceKeyHex: string | undefined;
	readonly nowMs: number;
}

export async function findDevice(db: Records, deviceId: string): Promise<DeviceRow | undefined> {
	return db.selectFrom("devices").selectAll().where("device_id", "=", deviceId).executeTakeFirst();
}

/** Of two rows of one device that were read one after the other: no other board was given the name in between. */
export function isSameBoard(a: DeviceRow, b: DeviceRow): boolean {
	return a.device_key === b.device_key && a.key_generation === b.key_generation;
}

/**
 * Registers a device, or registers it again with another type or key. Its nonces go on rising in either case, so what
 * was sent before stays used.
 */
export async function registerDevice(db: Records, registration: Registration): Promise<DeviceRow> {
	const fields = {
		device_type: registration.deviceType,
		chip: registration.chip ?? null,
		device_key: registration.deviceKeyHex ?? null,
	};
	return db
		.insertInto("devices")
		.values({ device_id: registration.deviceId, ...fields, created_at_ms: registration.nowMs })
		.onConflict((conflict) =>
			conflict
				.column("device_id")
				.doUpdateSet({ ...fields, offered_release_id: null, withheld_release_id: null }),
		)
		.returningAll()
		.executeTakeFirstOrThrow();
}

/** How many devices have a key that comes from the master key. */
export async function countDerivedDevices(db: Records): Promise<number> {
	const { count } = await db
		.selectFrom("devices")
		.select((select) => select.fn.countAll<number>().as("count"))
		.where("device_key", "is", null)
		.executeTakeFirstOrThrow();
	return Number(count);
}

export interface TakenNonce {
	readonly deviceId: string;
	readonly nonce: number;
	readonly nowMs: number;
}

/**
 * Takes the nonce if it is above all before; false if not. One statement, so of two requests with the same nonce only
 * one is let in (docs/protocol.md §3; threat: replay).
 */
export async function takeNonce(db: Records, device: TakenNonce): Promise<boolean> {
	const result = await db
		.updateTable("devices")
		.set({
			last_nonce: device.nonce,
			stale_nonce_count: 0,
			is_legacy: 0,
			last_seen_at_ms: device.nowMs,
		})
		.where("device_id", "=", device.deviceId)
		.where("last_nonce", "<", device.nonce)
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

/** Beyond it stale nonces in a row are not counted. */
const STALE_COUNT_MAX = 2;

/** Counts a stale nonce; returns the last one accepted, and how many stale ones came in a row, up to two. */
export async function countStaleNonce(
	db: Records,
	deviceId: string,
): Promise<{ readonly lastNonce: number; readonly staleCount: number }> {
	// Threat: one request of a device, captured and sent again as fast as it goes. A count would be a commit each time.
	const counted = await db
		.updateTable("devices")
		.set((update) => ({ stale_nonce_count: update("stale_nonce_count", "+", 1) }))
		.where("device_id", "=", deviceId)
		.where("stale_nonce_count", "<", STALE_COUNT_MAX)
		.returning(["last_nonce", "stale_nonce_count"])
		.executeTakeFirst();
	const row =
		counted ??
		(await db
			.selectFrom("devices")
			.select(["last_nonce", "stale_nonce_count"])
			.where("device_id", "=", deviceId)
			.executeTakeFirstOrThrow());
	return { lastNonce: row.last_nonce, staleCount: row.stale_nonce_count };
}

/**
 * Notes that a device came without a MAC. False where it has used one, be it at this very moment: then it must not be
 * let in without.
 */
export async function noteLegacyContact(db: Records, deviceId: string, nowMs: number): Promise<boolean> {
	const result = await db
		.updateTable("devices")
		.set({ is_legacy: 1, last_seen_at_ms: nowMs })
		.where("device_id", "=", deviceId)
		.where("last_nonce", "=", 0)
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

/** True once in `intervalMs` a device, for one of all who ask: that one writes it to the security log. */
export async function takeLegacyNote(
	db: Records,
	device: { readonly deviceId: string; readonly intervalMs: number; readonly nowMs: number },
): Promise<boolean> {
	const result = await db
		.updateTable("devices")
		.set({ legacy_noted_at_ms: device.nowMs })
		.where("device_id", "=", device.deviceId)
		.where((where) =>
			where.or([
				where("legacy_noted_at_ms", "is", null),
				where("legacy_noted_at_ms", "<=", device.nowMs - device.intervalMs),
			]),
		)
		.executeTakeFirst();
	return result.numUpdatedRows === 1n;
}

/** What a device says of its build when it asks for updates. */
export async function noteBuild(
	db: Records,
	deviceId: string,
	build: { readonly buildNumber: number; readonly version: string },
): Promise<void> {
	await db
		.updateTable("devices")
		.set({ build_number: build.buildNumber, build_version: build.version })
		.where("device_id", "=", deviceId)
		.execute();
}

export async function noteOffer(db: Records, deviceId: string, releaseId: number): Promise<void> {
	await db
		.updateTable("devices")
		.set({ offered_release_id: releaseId, withheld_release_id: null })
		.where("device_id", "=", deviceId)
		.where((where) =>
			where.or([
				where("offered_release_id", "is", null),
				where("offered_release_id", "!=", releaseId),
				where("withheld_release_id", "is not", null),
			]),
		)
		.execute();
}

export interface DevicePage {
	/** Only devices whose id comes behind this one. Default: from the first on. */
	readonly after?: string | undefined;
	readonly limit: number;
}

/** In order of device id. */
export async function listDevices(db: Records, page: DevicePage): Promise<DeviceRow[]> {
	let query = db.selectFrom("devices").selectAll().orderBy("device_id").limit(page.limit);
	if (page.after !== undefined) query = query.where("device_id", ">", page.after);
	return query.execute();
}
