// Who is about to keep or to remove an image, among all servers on one database. An object store may take long, and a
// lock would hold a connection and everybody else meanwhile; a claim is a row. It ends by itself, since a server that went
// away leaves its own. Called by publish-release.ts. It must not know the image store.
import { randomUUID } from "node:crypto";
import { FotaError } from "../../src/protocol/error-codes.js";
import { takeLock } from "./locks.js";
import type { Records } from "./tables.js";

/** Longer than any call to an image store takes, its repetitions included. */
export const CLAIM_MS = 600_000;

interface Wanted {
	readonly hash: string;
	readonly nowMs: number;
}

/** Returns the claim's id; nobody removes the image while it lasts. Throws `server-unavailable` while somebody does. */
export async function claimKeeping(db: Records, { hash, nowMs }: Wanted): Promise<string> {
	return db.transaction().execute(async (transaction) => {
		await takeLock(transaction, "images");
		const claims = await openClaims(transaction, { hash, nowMs });
		if (claims.some(({ is_removal }) => is_removal === 1))
			throw new FotaError("server-unavailable", "this image is being removed; upload it again in a moment");
		return insertClaim(transaction, { hash, isRemoval: false, nowMs });
	});
}

/** Undefined when a release has the image, or somebody keeps or removes it: then it is theirs to care for. */
export async function claimRemoval(db: Records, { hash, nowMs }: Wanted): Promise<string | undefined> {
	return db.transaction().execute(async (transaction) => {
		await takeLock(transaction, "images");
		const claims = await openClaims(transaction, { hash, nowMs });
		if (claims.length > 0 || (await hasRelease(transaction, hash))) return undefined;
		return insertClaim(transaction, { hash, isRemoval: true, nowMs });
	});
}

/**
 * For the transaction that makes the release of the image that was kept: it needs the image until then, and has it from
 * then on. Throws `server-unavailable` when the claim is over: somebody may have removed the image since.
 */
export async function redeemClaim(transaction: Records, id: string, nowMs: number): Promise<void> {
	await takeLock(transaction, "images");
	const result = await transaction
		.deleteFrom("image_claims")
		.where("id", "=", id)
		.where("until_ms", ">", nowMs)
		.executeTakeFirst();
	if (result.numDeletedRows !== 1n)
		throw new FotaError("server-unavailable", "the image store took too long; upload it again");
}

/** Nothing happens if it is not there. */
export async function dropClaim(db: Records, id: string): Promise<void> {
	await db.deleteFrom("image_claims").where("id", "=", id).execute();
}

/** Whether any release, active or not, refers to the image. */
export async function hasRelease(db: Records, hash: string): Promise<boolean> {
	const row = await db
		.selectFrom("releases")
		.select("id")
		.where("hash", "=", hash)
		.limit(1)
		.executeTakeFirst();
	return row !== undefined;
}

async function openClaims(transaction: Records, { hash, nowMs }: Wanted) {
	await transaction.deleteFrom("image_claims").where("until_ms", "<=", nowMs).execute();
	return transaction.selectFrom("image_claims").select("is_removal").where("hash", "=", hash).execute();
}

async function insertClaim(
	transaction: Records,
	{ hash, isRemoval, nowMs }: Wanted & { readonly isRemoval: boolean },
): Promise<string> {
	const id = randomUUID();
	await transaction
		.insertInto("image_claims")
		.values({ id, hash, is_removal: Number(isRemoval), until_ms: nowMs + CLAIM_MS })
		.execute();
	return id;
}
