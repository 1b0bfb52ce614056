// HMAC under a key derived from the device key (docs/protocol.md §3.1). Used by device-credential and crypto. It must
// not know what is authenticated.

import type { FotaCrypto, HmacSha256, Sha256 } from "../native/fota-crypto.js";
import { KEY_LABELS } from "../protocol/device-auth.js";
import { utf8Encode } from "../protocol/encoding.js";
import { KEY_BYTES } from "../protocol/limits.js";

export type Hmac = Pick<HmacSha256, "startSign" | "startVerify" | "update" | "digest" | "verify" | "close">;
export type Hash = Pick<Sha256, "update" | "digest" | "close">;

/** The native classes, injected: they cannot be constructed outside the device. */
export interface NativeCrypto {
	readonly functions: Pick<FotaCrypto, "hkdf" | "verifyEs256">;
	readonly Sha256: new () => Hash;
	readonly HmacSha256: new (key: Uint8Array) => Hmac;
}

export interface DerivedHmacOptions {
	readonly native: NativeCrypto;
	readonly deviceKey: Uint8Array;
	/** What the key is for: the label, for chunks with the image's hash behind. */
	readonly info: Uint8Array;
}

/** The caller closes it. The key itself does not stay in the XS heap. */
export function derivedHmac(options: DerivedHmacOptions): Hmac {
	const { native, deviceKey, info } = options;
	const key = new Uint8Array(KEY_BYTES);
	try {
		native.functions.hkdf(utf8Encode(KEY_LABELS.derived), deviceKey, info, key);
		return new native.HmacSha256(key);
	} finally {
		key.fill(0);
	}
}
