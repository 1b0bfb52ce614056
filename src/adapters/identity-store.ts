// The identity partition: two sectors, of which the valid one with the higher sequence counts (docs/protocol.md §12).
// Called by main at start. It must not know what the identity is used for.

import type { FotaFlash } from "../native/fota-flash.js";
import { FotaError } from "../protocol/error-codes.js";
import {
	encodeIdentity,
	encodeIdentityRecord,
	IDENTITY_PARTITION,
	IDENTITY_SECTORS,
	type Identity,
	parseIdentity,
	parseIdentityRecord,
} from "../protocol/identity.js";
import { SECTOR_BYTES, UINT32_MAX } from "../protocol/limits.js";
import type { Log } from "../update/ports.js";
import { describeCause, toFotaError } from "./cause.js";

export interface IdentityStoreOptions {
	readonly flash: Pick<FotaFlash, "dataRead" | "dataErase" | "dataWrite">;
	readonly log: Log;
}

interface Found {
	readonly sectorIndex: number;
	readonly sequence: number;
	readonly identity: Identity;
}

/** Holds nothing: it is read once a start, and its sector buffer goes afterwards. */
export class IdentityStore {
	readonly #options: IdentityStoreOptions;

	constructor(options: IdentityStoreOptions) {
		this.#options = options;
	}

	/** Undefined if the device was never provisioned. Throws `storage-failed` if the partition cannot be read. */
	read(): Identity | undefined {
		return this.#find()?.identity;
	}

	/**
	 * Writes the sector that does not count. After a power cut the old identity counts, or the new one. Throws
	 * `storage-failed`; then the old one counts.
	 */
	write(identity: Identity): void {
		const { flash } = this.#options;
		const found = this.#find();
		const sequence = (found?.sequence ?? 0) + 1;
		if (sequence >= UINT32_MAX) throw new FotaError("storage-failed", "identity sequence is used up");
		const sector = encodeIdentityRecord({ sequence, document: encodeIdentity(identity) });
		const offsetBytes = (found === undefined ? 0 : 1 - found.sectorIndex) * SECTOR_BYTES;
		try {
			flash.dataErase(IDENTITY_PARTITION, offsetBytes, SECTOR_BYTES);
			flash.dataWrite(IDENTITY_PARTITION, offsetBytes, sector, 0, SECTOR_BYTES);
			flash.dataRead(IDENTITY_PARTITION, offsetBytes, sector, 0, SECTOR_BYTES);
		} catch (cause) {
			throw toFotaError(cause, { code: "storage-failed", doing: "writing the identity" });
		}
		if (parseIdentityRecord(sector)?.sequence !== sequence)
			throw new FotaError("storage-failed", "the identity did not stay in flash");
	}

	#find(): Found | undefined {
		const sector = new Uint8Array(SECTOR_BYTES);
		let best: Found | undefined;
		for (let index = 0; index < IDENTITY_SECTORS; index += 1) {
			const found = this.#readSector(index, sector);
			if (found !== undefined && (best === undefined || found.sequence > best.sequence)) best = found;
		}
		return best;
	}

	/** A record that is whole but says nothing we can use leaves the other one in force. */
	#readSector(sectorIndex: number, sector: Uint8Array): Found | undefined {
		const { flash, log } = this.#options;
		try {
			flash.dataRead(IDENTITY_PARTITION, sectorIndex * SECTOR_BYTES, sector, 0, SECTOR_BYTES);
		} catch (cause) {
			throw toFotaError(cause, { code: "storage-failed", doing: `partition ${IDENTITY_PARTITION}` });
		}
		const record = parseIdentityRecord(sector);
		if (record === undefined) return undefined;
		try {
			return { sectorIndex, sequence: record.sequence, identity: parseIdentity(record.document) };
		} catch (cause) {
			log.write("error", `identity ${record.sequence} is unusable: ${describeCause(cause)}`);
			return undefined;
		}
	}
}
