// Takes an upload to disk and database as one: afterwards there is either the release with its image, or nothing of
// it. Called by the upload route; the decisions are domain/publication.ts, the signature auth/release-signature.ts.
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyBaseLogger } from "fastify";
import { FotaError } from "../../src/protocol/error-codes.js";
import { checkImage, type ImageCheck } from "../../src/protocol/esp-image.js";
import { chunkCountOf } from "../../src/protocol/manifest.js";
import { parseSignedStatement, type SignedStatement } from "../../src/protocol/release-statement.js";
import { isSignedBy } from "../auth/release-signature.js";
import type { EventDetails, FotaEvent, LogEvent } from "../domain/event.js";
import {
	checkClaims,
	checkImageAgainst,
	decidePublication,
	type UploadClaims,
} from "../domain/publication.js";
import type { Channel } from "../domain/release-channel.js";
import { appendEvents } from "./event-store.js";
import { claimKeeping, claimRemoval, dropClaim, hasRelease, redeemClaim } from "./image-claims.js";
import type { ImageStore, StagedImage } from "./image-store.js";
import { findRelease, findReleaseKey, insertRelease, lockRelease, updateRelease } from "./release-store.js";
import type { Records, ReleaseRow } from "./tables.js";

/** Younger ones may belong to an upload that another server is about to end. */
const ORPHAN_AGE_MS = 3_600_000;

/** What the uploader decides and nobody signs. What is left out: the default, or what the release has already. */
export interface UploadTerms {
	/** Default: what the release was called before is forgotten. */
	readonly description?: string | undefined;
	/** Default "stable". */
	readonly channel?: Channel | undefined;
	/** Default: none. */
	readonly notes?: string | undefined;
	/** Default false. */
	readonly isSecurityFix?: boolean | undefined;
	/** False: devices get it only once it is activated. Default true. */
	readonly isActive?: boolean | undefined;
}

export interface Upload {
	/** Compact JWS. */
	readonly release: string;
	readonly claims: UploadClaims;
	/** Chunk size for devices that do not ask for one, in bytes. */
	readonly chunkBytes: number;
	readonly terms: UploadTerms;
	readonly image: AsyncIterable<Uint8Array>;
	/** Last in the transaction that makes or changes a release. Default: nothing. */
	readonly note?: (transaction: Records, published: Published) => Promise<void>;
}

export interface PublishTools {
	readonly db: Records;
	readonly images: ImageStore;
	readonly maxUploadBytes: number;
	readonly nowMs: () => number;
	readonly log: FastifyBaseLogger;
}

export interface Published {
	readonly release: ReleaseRow;
	readonly outcome: "created" | "unchanged" | "reissued";
	/** What is in the event log of it. */
	readonly events: readonly LogEvent[];
}

/**
 * Throws `statement-malformed`, `signature-invalid`, `manifest-mismatch`, `upload-too-large`, `hash-mismatch`,
 * `image-invalid`, `chip-mismatch` or `release-exists`; nothing is left behind then.
 */
export async function publishRelease(tools: PublishTools, upload: Upload): Promise<Published> {
	// Before the first byte of the image is taken: an upload nobody signed costs no disk.
	const signed = parseSignedStatement(upload.release);
	await checkSignature(tools.db, signed);
	checkClaims(upload.claims, signed.statement);
	if (signed.statement.sizeBytes > tools.maxUploadBytes)
		throw new FotaError("upload-too-large", `more than ${tools.maxUploadBytes} bytes`);
	const staged = await tools.images.stage(upload.image, { maxBytes: tools.maxUploadBytes });
	try {
		const image = await checkStagedImage(staged, signed, upload.claims);
		return await keep(tools, { upload, signed, staged, image });
	} finally {
		await discard(tools, staged);
	}
}

/** Never throws: what became of the upload stands, be it a release or a refusal, and removeOrphans() finds the rest. */
async function discard({ log }: PublishTools, staged: StagedImage): Promise<void> {
	try {
		await staged.discard();
	} catch (error) {
		log.warn({ err: error }, "what an upload left is not removed yet");
	}
}

async function checkSignature(db: Records, signed: SignedStatement): Promise<void> {
	const publicKey = await findReleaseKey(db, signed.keyId);
	if (publicKey === undefined)
		throw new FotaError("signature-invalid", `release key ${signed.keyId} is not registered here`);
	if (!isSignedBy(signed, publicKey))
		throw new FotaError("signature-invalid", "the signature does not fit the release statement");
}

async function checkStagedImage(
	staged: StagedImage,
	signed: SignedStatement,
	claims: UploadClaims,
): Promise<ImageCheck> {
	const { statement } = signed;
	if (staged.sizeBytes !== statement.sizeBytes)
		throw new FotaError(
			"manifest-mismatch",
			`the image has ${staged.sizeBytes} bytes, ${statement.sizeBytes} are signed`,
		);
	if (staged.hash !== statement.hash)
		throw new FotaError("hash-mismatch", "SHA-256 of the image differs from the release statement");
	const bytes = await staged.read();
	const image = checkImage(bytes);
	const digest = createHash("sha256").update(bytes.subarray(0, image.hashOffsetBytes)).digest();
	if (!timingSafeEqual(digest, bytes.subarray(image.hashOffsetBytes)))
		throw new FotaError("image-invalid", "the appended hash is wrong");
	checkImageAgainst(image, statement, claims);
	return image;
}

interface Checked {
	readonly upload: Upload;
	readonly signed: SignedStatement;
	readonly staged: StagedImage;
	readonly image: ImageCheck;
}

/**
 * The image is kept before the release is committed: a release without its image would be offered and could not be
 * fetched. What a crash between the two leaves is an orphan, see {@link removeOrphans}. No transaction is open while the
 * image store works: it may take long.
 */
async function keep(tools: PublishTools, checked: Checked): Promise<Published> {
	const { db, nowMs } = tools;
	const { hash } = checked.signed.statement;
	// Nothing is kept for what cannot be published anyway.
	await decide(db, checked.signed);
	const claimId = await claimKeeping(db, { hash, nowMs: nowMs() });
	try {
		await checked.staged.keep();
		return await db.transaction().execute(async (transaction) => {
			await redeemClaim(transaction, claimId, nowMs());
			return await record(transaction, checked, nowMs());
		});
	} catch (error) {
		await dropClaim(db, claimId)
			.then(() => removeUnused(tools, hash))
			.catch(() => {
				// Database or store are away: the image stays until removeOrphans() finds it. The first error says more.
			});
		throw error;
	}
}

/** Throws `release-exists`. */
async function decide(db: Records, { statement }: SignedStatement) {
	const existing = await findRelease(db, statement.deviceType, statement.version);
	const decision = decidePublication(existing, statement);
	if (decision === "conflict")
		throw new FotaError(
			"release-exists",
			`${statement.version} exists for ${statement.deviceType} with other content`,
		);
	return { existing, decision };
}

async function record(transaction: Records, checked: Checked, nowMs: number): Promise<Published> {
	const { existing, decision } = await decide(transaction, checked.signed);
	if (existing !== undefined && decision === "unchanged")
		return { release: existing, outcome: "unchanged", events: [] };
	const published = await (existing === undefined
		? create(transaction, checked, nowMs)
		: reissue(transaction, existing, { checked, nowMs }));
	await checked.upload.note?.(transaction, published);
	return published;
}

async function create(transaction: Records, checked: Checked, nowMs: number): Promise<Published> {
	const { statement } = checked.signed;
	const release = await insertRelease(transaction, {
		...termsOf(checked, nowMs),
		device_type: statement.deviceType,
		chip: statement.chip,
		version: statement.version,
		size_bytes: statement.sizeBytes,
		hash: statement.hash,
		project_name: checked.image.projectName,
		created_at_ms: nowMs,
	});
	const events = creationEvents(checked);
	await appendEvents(transaction, events, nowMs);
	return { release, outcome: "created", events };
}

async function reissue(
	transaction: Records,
	existing: ReleaseRow,
	{ checked, nowMs }: { readonly checked: Checked; readonly nowMs: number },
): Promise<Published> {
	// Whether it was active must still hold: a change of it may be under way.
	const before = (await lockRelease(transaction, existing.id)) ?? existing;
	const release = await updateRelease(transaction, existing.id, termsOf(checked, nowMs));
	const events = [eventOf(checked, "release_reissued", { released_at: release.released_at })];
	if (release.is_active !== before.is_active)
		events.push(eventOf(checked, release.is_active ? "release_activated" : "release_deactivated", {}));
	await appendEvents(transaction, events, nowMs);
	return { release, outcome: "reissued", events };
}

/** What another statement for the same image may change. */
function termsOf({ upload, signed }: Checked, nowMs: number) {
	return {
		build_number: signed.statement.buildNumber,
		security_version: signed.statement.securityVersion,
		min_current_version: signed.statement.minCurrentVersion ?? null,
		released_at: signed.statement.releasedAt,
		chunk_bytes: upload.chunkBytes,
		description: upload.terms.description ?? null,
		statement: upload.release,
		key_id: signed.keyId,
		updated_at_ms: nowMs,
		...chosenTermsOf(upload.terms, nowMs),
	};
}

function chosenTermsOf({ channel, notes, isSecurityFix, isActive = true }: UploadTerms, nowMs: number) {
	return {
		...(isActive ? { is_active: 1, published_at_ms: nowMs } : { is_active: 0 }),
		...(channel === undefined ? {} : { channel }),
		...(notes === undefined ? {} : { notes }),
		...(isSecurityFix === undefined ? {} : { is_security_fix: Number(isSecurityFix) }),
	};
}

function creationEvents(checked: Checked): LogEvent[] {
	const { statement } = checked.signed;
	const { image, upload } = checked;
	return [
		eventOf(checked, "firmware_uploaded", { size: statement.sizeBytes, key_id: checked.signed.keyId }),
		eventOf(checked, "firmware_decoded", {
			chip: image.chip,
			project: image.projectName,
			idf: image.idfVersion,
		}),
		eventOf(checked, "firmware_hash_verified", { hash: statement.hash }),
		eventOf(checked, "chunking_started", {
			chunk_size: upload.chunkBytes,
			total_chunks: chunkCountOf(statement.sizeBytes, upload.chunkBytes),
		}),
	];
}

function eventOf({ signed }: Checked, type: FotaEvent["type"], details: EventDetails): FotaEvent {
	const { deviceType, version } = signed.statement;
	return { log: "fota", type, details: { device_type: deviceType, version, ...details } };
}

/** Removes images that no release, active or not, refers to: left by a crash before the release was committed. */
export async function removeOrphans(tools: Pick<PublishTools, "db" | "images" | "nowMs">): Promise<number> {
	const beforeMs = tools.nowMs() - ORPHAN_AGE_MS;
	let removedCount = await tools.images.removeUnfinished(beforeMs);
	for (const hash of await tools.images.listKeptBefore(beforeMs))
		if (await removeUnused(tools, hash)) removedCount++;
	return removedCount;
}

async function removeUnused(
	{ db, images, nowMs }: Pick<PublishTools, "db" | "images" | "nowMs">,
	hash: string,
): Promise<boolean> {
	// Without a claim first: nearly all are in use.
	if (await hasRelease(db, hash)) return false;
	const claimId = await claimRemoval(db, { hash, nowMs: nowMs() });
	if (claimId === undefined) return false;
	try {
		await images.remove(hash);
	} finally {
		await dropClaim(db, claimId);
	}
	return true;
}
