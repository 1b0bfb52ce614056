// The identity partition, read (docs/protocol.md §12). Called by main at start. The device never writes it: what it is
// told by cable is changed by cable (`fota settings`), so no fault of a firmware can cost it. It must not know what the
// identity is used for.

import type { FotaFlash } from "../native/fota-flash.js";
import { IDENTITY_PARTITION, type Identity } from "../protocol/identity.js";
import { findIdentity } from "../protocol/identity-partition.js";
import { SECTOR_BYTES } from "../protocol/limits.js";
import type { Log } from "../update/ports.js";
import { describeCause, toFotaError } from "./cause.js";

export interface IdentityStoreOptions {
	readonly flash: Pick<FotaFlash, "dataRead">;
	readonly log: Log;
}

/** Holds nothing: it is read once a start, and its sector buffer goes afterwards. */
export class IdentityStore {
	readonly #options: IdentityStoreOptions;

	constructor(options: IdentityStoreOptions) {
		this.#options = options;
	}

	/** Undefined if the device was never provisioned. Throws `storage-failed` if the partition cannot be read. */
	read(): Identity | undefined {
		const sector = new Uint8Array(SECTOR_BYTES);
		const { log } = this.#options;
		return findIdentity({
			read: (index) => this.#readSector(index, sector),
			onUnusable: (sequence, cause) =>
				log.write("error", `identity ${sequence} is unusable: ${describeCause(cause)}`),
		})?.identity;
	}

	#readSector(index: number, sector: Uint8Array): Uint8Array {
		try {
			this.#options.flash.dataRead(IDENTITY_PARTITION, index * SECTOR_BYTES, sector, 0, SECTOR_BYTES);
			return sector;
		} catch (cause) {
			throw toFotaError(cause, { code: "storage-failed", doing: `partition ${IDENTITY_PARTITION}` });
		}
	}
}
