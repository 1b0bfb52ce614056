// Releases and the public keys that may sign them.
import type { NewReleaseRow, Records, ReleaseRow } from "./tables.js";

export async function findReleaseKey(db: Records, keyId: string): Promise<string | undefined> {
	const row = await db
		.selectFrom("release_keys")
		.select("public_key")
		.where("key_id", "=", keyId)
		.executeTakeFirst();
	return row?.public_key;
}

/** False if the key was there already. */
export async function addReleaseKey(
	db: Records,
	key: { readonly keyId: string; readonly publicKeyHex: string; readonly nowMs: number },
): Promise<boolean> {
	const result = await db
		.insertInto("release_keys")
		.values({ key_id: key.keyId, public_key: key.publicKeyHex, created_at_ms: key.nowMs })
		.onConflict((conflict) => conflict.doNothing())
		.executeTakeFirst();
	return result.numInsertedOrUpdatedRows === 1n;
}

export async function listReleaseKeys(db: Records) {
	return db.selectFrom("release_keys").selectAll().orderBy("created_at_ms").orderBy("key_id").execute();
}

export async function findRelease(
	db: Records,
	deviceType: string,
	version: string,
): Promise<ReleaseRow | undefined> {
	return db
		.selectFrom("releases")
		.selectAll()
		.where("device_type", "=", deviceType)
		.where("version", "=", version)
		.executeTakeFirst();
}

export async function findReleaseById(db: Records, id: number): Promise<ReleaseRow | undefined> {
	return db.selectFrom("releases").selectAll().where("id", "=", id).executeTakeFirst();
}

/** The active release of this type with this image; undefined when there is none (any more). */
export async function findActiveRelease(
	db: Records,
	deviceType: string,
	hash: string,
): Promise<ReleaseRow | undefined> {
	return db
		.selectFrom("releases")
		.selectAll()
		.where("hash", "=", hash)
		.where("device_type", "=", deviceType)
		.where("is_active", "=", 1)
		.executeTakeFirst();
}

export async function listActiveReleases(
	db: Records,
	deviceType: string,
	chip: string,
): Promise<ReleaseRow[]> {
	return db
		.selectFrom("releases")
		.selectAll()
		.where("device_type", "=", deviceType)
		.where("chip", "=", chip)
		.where("is_active", "=", 1)
		.execute();
}

export interface ReleaseQuery {
	readonly deviceType?: string | undefined;
	/** Only releases with a higher id. */
	readonly after: number;
	readonly limit: number;
}

/** In rising order of id. */
export async function listReleases(db: Records, options: ReleaseQuery): Promise<ReleaseRow[]> {
	let query = db.selectFrom("releases").selectAll().where("id", ">", options.after);
	if (options.deviceType !== undefined) query = query.where("device_type", "=", options.deviceType);
	return query.orderBy("id").limit(options.limit).execute();
}

export async function insertRelease(db: Records, row: NewReleaseRow): Promise<ReleaseRow> {
	return db.insertInto("releases").values(row).returningAll().executeTakeFirstOrThrow();
}

export async function updateRelease(
	db: Records,
	id: number,
	changes: Partial<NewReleaseRow>,
): Promise<ReleaseRow> {
	return db
		.updateTable("releases")
		.set(changes)
		.where("id", "=", id)
		.returningAll()
		.executeTakeFirstOrThrow();
}
