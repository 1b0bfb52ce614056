// The two records of the identity partition: which one counts, and which sector a change goes to (docs/protocol.md §12).
// Pure. Used by the device, which reads, and by `fota settings`, which changes; a decision that the two made apart could
// leave a device without identity.

import { FotaError } from "./error-codes.js";
import {
	encodeIdentityRecord,
	IDENTITY_SECTORS,
	type Identity,
	parseIdentity,
	parseIdentityRecord,
} from "./identity.js";
import { SECTOR_BYTES, UINT32_MAX } from "./limits.js";

export interface StoredIdentity {
	readonly sectorIndex: number;
	/** Counts changes, from 1. */
	readonly sequence: number;
	/** The JSON document as it stands there, with fields that only a newer firmware knows. */
	readonly document: Uint8Array;
	readonly identity: Identity;
}

/** One sector to erase and program as a whole. */
export interface IdentityChange {
	/** From the start of the partition. */
	readonly offsetBytes: number;
	readonly sector: Uint8Array;
}

export interface IdentitySectors {
	/** The bytes of a sector, valid until the next call. What it throws goes on to the caller. */
	readonly read: (sectorIndex: number) => Uint8Array;
	/** A record is whole and says nothing that can be used: the other one stays in force. */
	readonly onUnusable: (sequence: number, cause: unknown) => void;
}

/** Undefined when there is none: the device was never provisioned. */
export function findIdentity(sectors: IdentitySectors): StoredIdentity | undefined {
	let best: StoredIdentity | undefined;
	for (let index = 0; index < IDENTITY_SECTORS; index += 1) {
		const found = identityIn(index, sectors);
		if (found !== undefined && (best === undefined || found.sequence > best.sequence)) best = found;
	}
	return best;
}

function identityIn(sectorIndex: number, { read, onUnusable }: IdentitySectors): StoredIdentity | undefined {
	const record = parseIdentityRecord(read(sectorIndex));
	if (record === undefined) return undefined;
	try {
		return { sectorIndex, ...record, identity: parseIdentity(record.document) };
	} catch (cause) {
		onUnusable(record.sequence, cause);
		return undefined;
	}
}

/**
 * The sector that does not count, and what makes it the one that does. Whenever power fails while it is erased and
 * programmed, the old record counts, or the new one. Throws `storage-failed` for a document that a device would not take.
 */
export function identityChange(found: StoredIdentity, document: Uint8Array): IdentityChange {
	parseIdentity(document);
	const sequence = found.sequence + 1;
	if (sequence >= UINT32_MAX) throw new FotaError("storage-failed", "identity sequence is used up");
	return {
		offsetBytes: (IDENTITY_SECTORS - 1 - found.sectorIndex) * SECTOR_BYTES,
		sector: encodeIdentityRecord({ sequence, document }),
	};
}
