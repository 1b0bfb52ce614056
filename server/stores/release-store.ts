// Releases and the public keys that may sign them.
import type { Channel } from "../domain/release-channel.js";
import { kindOf } from "./database.js";
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

/** Only those on one of `channels`. Default: on any. */
export async function listActiveReleases(
	db: Records,
	deviceType: string,
	chip: string,
	channels?: readonly Channel[],
): Promise<ReleaseRow[]> {
	let query = db
		.selectFrom("releases")
		.selectAll()
		.where("device_type", "=", deviceType)
		.where("chip", "=", chip)
		.where("is_active", "=", 1);
	if (channels !== undefined) query = query.where("channel", "in", [...channels]);
	return query.execute();
}

/** Within a transaction: what is read still holds when it writes. */
export async function lockRelease(transaction: Records, id: number): Promise<ReleaseRow | undefined> {
	const query = transaction.selectFrom("releases").selectAll().where("id", "=", id);
	// On SQLite there is one transaction at a time.
	return (kindOf(transaction) === "sqlite" ? query : query.forUpdate()).executeTakeFirst();
}

export interface ReleaseFilter {
	readonly deviceType?: string | undefined;
	readonly chip?: string | undefined;
	readonly version?: string | undefined;
	readonly channel?: Channel | undefined;
	readonly isActive?: boolean | undefined;
	readonly isSecurityFix?: boolean | undefined;
}

export interface ReleaseQuery extends ReleaseFilter {
	/** Only releases with a higher id. Default: from the first on. */
	readonly after?: number | undefined;
	/** This many are passed over. Default 0. */
	readonly offset?: number | undefined;
	/** Falling ids. Default false. */
	readonly isNewestFirst?: boolean | undefined;
	readonly limit: number;
}

/** In rising order of id, unless the newest are wanted first. */
export async function listReleases(db: Records, options: ReleaseQuery): Promise<ReleaseRow[]> {
	return filtered(db, options)
		.selectAll()
		.where("id", ">", options.after ?? 0)
		.orderBy("id", options.isNewestFirst === true ? "desc" : "asc")
		.limit(options.limit)
		.offset(options.offset ?? 0)
		.execute();
}

export async function countReleases(db: Records, filter: ReleaseFilter): Promise<number> {
	const { count } = await filtered(db, filter)
		.select((select) => select.fn.countAll<number>().as("count"))
		.executeTakeFirstOrThrow();
	return Number(count);
}

function filtered(db: Records, filter: ReleaseFilter) {
	let query = db.selectFrom("releases");
	if (filter.deviceType !== undefined) query = query.where("device_type", "=", filter.deviceType);
	if (filter.chip !== undefined) query = query.where("chip", "=", filter.chip);
	if (filter.version !== undefined) query = query.where("version", "=", filter.version);
	if (filter.channel !== undefined) query = query.where("channel", "=", filter.channel);
	if (filter.isActive !== undefined) query = query.where("is_active", "=", Number(filter.isActive));
	if (filter.isSecurityFix !== undefined)
		query = query.where("is_security_fix", "=", Number(filter.isSecurityFix));
	return query;
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
