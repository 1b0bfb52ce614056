/*
 * SHA-256, HMAC-SHA256, HKDF, ES256 verification and random bytes over PSA Crypto,
 * which uses the chip's accelerators where it has them. Called by the crypto adapter.
 * It must not know which key means what, nor any format above bytes.
 *
 * Buffers are Uint8Arrays with offset and count in bytes; a range outside its buffer
 * throws RangeError. A failing PSA call throws Error("psa −134") with its status.
 * Native state (about 400 bytes an object) is freed by close(), or when collected;
 * key material is overwritten first. Using a closed object throws.
 */

export const HASH_BYTES = 32;

/** Streaming SHA-256 (FIPS 180-4). */
export class Sha256 extends Native("xs_fota_sha256_destructor") {
	constructor() {
		super();
		native("xs_fota_sha256").call(this);
	}

	update(buffer: Uint8Array, offset: number, count: number): void {
		native("xs_fota_sha256_update").call(this, buffer, offset, count);
	}

	/** Writes 32 bytes to `into` at `offset`; the next update begins a new hash. */
	digest(into: Uint8Array, offset: number): void {
		native("xs_fota_sha256_digest").call(this, into, offset);
	}

	/** May be called again. */
	close(): void {
		native("xs_fota_sha256_close").call(this);
	}
}

/**
 * HMAC-SHA256 (RFC 2104) under one key of 1 to 256 bytes, for any number of messages.
 * Each begins with {@link startSign} or {@link startVerify}, which drop one under way.
 */
export class HmacSha256 extends Native("xs_fota_hmac_destructor") {
	constructor(key: Uint8Array) {
		super();
		native("xs_fota_hmac").call(this, key);
	}

	startSign(): void {
		native("xs_fota_hmac_startSign").call(this);
	}

	startVerify(): void {
		native("xs_fota_hmac_startVerify").call(this);
	}

	update(buffer: Uint8Array, offset: number, count: number): void {
		native("xs_fota_hmac_update").call(this, buffer, offset, count);
	}

	/** Ends startSign: writes the 32-byte MAC to `into` at `offset`. */
	digest(into: Uint8Array, offset: number): void {
		native("xs_fota_hmac_digest").call(this, into, offset);
	}

	/** Ends startVerify: compares with the 32 bytes at `mac[offset]`, in constant time. */
	verify(mac: Uint8Array, offset: number): boolean {
		return native("xs_fota_hmac_verify").call(this, mac, offset);
	}

	/** May be called again. */
	close(): void {
		native("xs_fota_hmac_close").call(this);
	}
}

/** One-shot operations; holds no state. */
export class FotaCrypto {
	/**
	 * HKDF-SHA256 (RFC 5869): fills `into` (1 to 255 × 32 bytes). `salt` may be empty;
	 * `ikm` is 1 to 256 bytes.
	 */
	hkdf(salt: Uint8Array, ikm: Uint8Array, info: Uint8Array, into: Uint8Array): void {
		native("xs_fota_crypto_hkdf").call(this, salt, ikm, info, into);
	}

	/**
	 * ECDSA over P-256 as JWS ES256 has it (RFC 7518, 3.4): `publicKey` 65 bytes
	 * (4 ‖ x ‖ y), `hash` 32, `signature` 64 (r ‖ s). False for a wrong signature, a wrong
	 * length, and a key that is no point of the curve. Takes about 80 ms.
	 */
	verifyEs256(publicKey: Uint8Array, hash: Uint8Array, signature: Uint8Array): boolean {
		return native("xs_fota_crypto_verifyEs256").call(this, publicKey, hash, signature);
	}

	/** Fills `into` with cryptographically secure random bytes. */
	random(into: Uint8Array): void {
		native("xs_fota_crypto_random").call(this, into);
	}
}
