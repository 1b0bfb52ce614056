// The identity in the flash of a board, or in a file that holds one: found by the table that lies there, read, and changed
// in the one of its two sectors that does not count (docs/protocol.md §12). Called by `fota settings`. It must not know
// what a setting is, nor how the flash is reached.
import { FotaError } from "../../src/protocol/error-codes.js";
import { IDENTITY_PARTITION, IDENTITY_SECTORS } from "../../src/protocol/identity.js";
import { findIdentity, identityChange, type StoredIdentity } from "../../src/protocol/identity-partition.js";
import { SECTOR_BYTES } from "../../src/protocol/limits.js";
import { CliError } from "../cli-error.js";
import { decodePartitions, type Partition, TABLE_OFFSET } from "../image/partition-table.js";

export interface FlashAccess {
	/** Exactly these bytes. */
	readonly read: (offsetBytes: number, byteCount: number) => Promise<Uint8Array>;
	/** Erases a sector and programs it. After a loss of power it may hold anything. */
	readonly writeSector: (offsetBytes: number, sector: Uint8Array) => Promise<void>;
}

export interface IdentityPlace {
	readonly flash: FlashAccess;
	/** Where the partition begins. */
	readonly offsetBytes: number;
}

/** By the table of this very flash: a board may have been made with another than the project's. Throws CliError. */
export async function findIdentityPlace(flash: FlashAccess): Promise<IdentityPlace> {
	const table = await flash.read(TABLE_OFFSET, SECTOR_BYTES);
	let partitions: readonly Partition[];
	try {
		partitions = decodePartitions(table);
	} catch (cause) {
		throw new CliError((cause as Error).message, {
			hint: "Is there a firmware of this project on it?",
			cause,
		});
	}
	const found = partitions.find(({ label }) => label === IDENTITY_PARTITION);
	if (found === undefined)
		throw new CliError(`the flash has no partition ${IDENTITY_PARTITION}`, {
			hint: "It holds another firmware. fota flash writes this one.",
		});
	const { type, offsetBytes, sizeBytes } = found;
	const isUsable =
		type === 1 &&
		offsetBytes % SECTOR_BYTES === 0 &&
		offsetBytes > TABLE_OFFSET &&
		sizeBytes >= IDENTITY_SECTORS * SECTOR_BYTES;
	if (!isUsable) throw new CliError(`the partition ${IDENTITY_PARTITION} of this flash is of another kind`);
	return { flash, offsetBytes };
}

/** Throws CliError where there is none. `onUnusable` hears of a record that is whole and says nothing of use. */
export async function readIdentity(
	{ flash, offsetBytes }: IdentityPlace,
	onUnusable: (text: string) => void,
): Promise<StoredIdentity> {
	const bytes = await flash.read(offsetBytes, IDENTITY_SECTORS * SECTOR_BYTES);
	const found = findIdentity({
		read: (index) => bytes.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES),
		onUnusable: (sequence, cause) => onUnusable(`identity ${sequence} is unusable: ${describe(cause)}`),
	});
	if (found === undefined)
		throw new CliError("there is no identity in this flash", {
			hint: "fota provision --identity-only makes one, fota flash --identity writes it.",
		});
	return found;
}

/**
 * Writes the sector that does not count and reads it back. Whenever power fails, `found` counts or the new document.
 * Throws CliError for a document that a device would not take, and when the flash holds something else afterwards.
 */
export async function changeIdentity(
	place: IdentityPlace,
	found: StoredIdentity,
	document: Uint8Array,
): Promise<StoredIdentity> {
	const change = changeOf(found, document);
	await place.flash.writeSector(place.offsetBytes + change.offsetBytes, change.sector);
	const written = await readIdentity(place, () => {});
	const isThere = written.sequence === found.sequence + 1 && Buffer.compare(written.document, document) === 0;
	if (!isThere)
		throw new CliError("the flash does not hold what was written to it", {
			hint: `Identity ${written.sequence} counts as before. Try again; if it repeats, the flash is worn out.`,
		});
	return written;
}

function changeOf(found: StoredIdentity, document: Uint8Array): ReturnType<typeof identityChange> {
	try {
		return identityChange(found, document);
	} catch (cause) {
		if (!(cause instanceof FotaError)) throw cause;
		throw new CliError(`a device would not take this: ${cause.message}`, { cause });
	}
}

function describe(cause: unknown): string {
	return cause instanceof Error ? cause.message : String(cause);
}
