// Is the master key the one that the keys of the registered devices come from? Called by app.ts at every start, before
// anything is served.

import { utf8Encode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { replaceFact, settleFact } from "../stores/fact-store.js";
import type { Records } from "../stores/tables.js";
import { hmac } from "./device-keys.js";

/** Says which key it is, and nothing of it: HMAC-SHA256 under the key (docs/operation.md, "Secrets"). */
const FINGERPRINT_OF = "fota master key fingerprint 1";

export interface MasterKeyCheck {
	readonly db: Records;
	readonly masterKey: Uint8Array;
	/** The operator says that the key is meant to be another one. */
	readonly isReplaced: boolean;
	readonly countDerivedDevices: () => Promise<number>;
}

/**
 * Threat: a wrong key (another installation's, an old backup's). Each device would be refused, without a word about why,
 * and those registered from then on would get keys that the right key does not know. Throws `server-failed`.
 */
export async function checkMasterKey(check: MasterKeyCheck): Promise<void> {
	const { db, masterKey } = check;
	const fingerprint = hmac(masterKey, utf8Encode(FINGERPRINT_OF)).toString("hex");
	const settled = await settleFact(db, "master-key-fingerprint", fingerprint);
	if (settled === fingerprint) return;
	const deviceCount = await check.countDerivedDevices();
	// Where no device's key comes from it, nothing is lost with it.
	if (deviceCount > 0 && !check.isReplaced)
		throw new FotaError(
			"server-failed",
			`the master key is not the one that the keys of ${deviceCount} registered device(s) come from: with this one ` +
				"they would all be locked out. Give the right one, in the data folder's master-key or in FOTA_MASTER_KEY " +
				"(all servers on one database have the same). If it is lost for good: start once with " +
				"FOTA_MASTER_KEY_REPLACED=yes, and give every device its new key by cable (fota provision)",
		);
	await replaceFact(db, "master-key-fingerprint", fingerprint);
}
