// Crypto over the native module: who signed a release, whether a chunk is the one asked for, what an image hashes
// to. Built by main. It must not know what follows from the answers.

import { CHUNK_MAC_PREFIX_BYTES, chunkMacPrefix } from "../protocol/chunk-frames.js";
import { chunkKeyInfo } from "../protocol/device-auth.js";
import { hexDecode, hexEncode } from "../protocol/encoding.js";
import { HASH_BYTES } from "../protocol/limits.js";
import { keyIdOf, type SignedStatement } from "../protocol/release-statement.js";
import type { Crypto, ImageHasher } from "../update/ports.js";
import { derivedHmac, type Hash, type Hmac, type NativeCrypto } from "./derived-hmac.js";

export interface NativeCryptoPortOptions {
	readonly native: NativeCrypto;
	readonly deviceKey: Uint8Array;
	/** Trusted release keys, 65 bytes each. */
	readonly releaseKeys: readonly Uint8Array[];
}

interface TrustedKey {
	readonly keyId: string;
	readonly publicKey: Uint8Array;
}

/** Errors of PSA itself (`psa -141`: no memory) pass through; every verdict is a value. */
export class NativeCryptoPort implements Crypto {
	readonly hasher: ImageHasher;
	readonly #native: NativeCrypto;
	readonly #deviceKey: Uint8Array;
	readonly #trustedKeys: readonly TrustedKey[];
	readonly #prefix = new Uint8Array(CHUNK_MAC_PREFIX_BYTES);
	#imageHash = "";
	#chunkHmac: Hmac | undefined;

	constructor(options: NativeCryptoPortOptions) {
		const { native } = options;
		this.#native = native;
		this.#deviceKey = options.deviceKey;
		this.hasher = new NativeHasher(new native.Sha256());
		this.#trustedKeys = options.releaseKeys.map((publicKey) => ({
			keyId: keyIdOf(this.#hash(publicKey)),
			publicKey,
		}));
	}

	isTrusted(signed: SignedStatement): boolean {
		const trusted = this.#trustedKeys.find((key) => key.keyId === signed.keyId);
		if (trusted === undefined) return false;
		return this.#native.functions.verifyEs256(
			trusted.publicKey,
			this.#hash(signed.signingInput),
			signed.signature,
		);
	}

	useImage(hash: string): void {
		if (hash === this.#imageHash) return;
		const imageHash = hexDecode(hash, HASH_BYTES);
		if (imageHash === undefined) throw new RangeError("not a hash");
		this.#chunkHmac?.close();
		this.#chunkHmac = undefined;
		this.#imageHash = "";
		this.#chunkHmac = derivedHmac({
			native: this.#native,
			deviceKey: this.#deviceKey,
			info: chunkKeyInfo(imageHash),
		});
		this.#imageHash = hash;
	}

	isChunkAuthentic(chunkNumber: number, buffer: Uint8Array, dataBytes: number): boolean {
		const hmac = this.#chunkHmac;
		if (hmac === undefined) throw new Error("no image in use");
		chunkMacPrefix(chunkNumber, dataBytes, this.#prefix);
		hmac.startVerify();
		hmac.update(this.#prefix, 0, CHUNK_MAC_PREFIX_BYTES);
		hmac.update(buffer, 0, dataBytes);
		return hmac.verify(buffer, dataBytes);
	}

	/** With a hash object of its own: the image's may be half-way. */
	#hash(bytes: Uint8Array): Uint8Array {
		const sha = new this.#native.Sha256();
		try {
			const digest = new Uint8Array(HASH_BYTES);
			sha.update(bytes, 0, bytes.length);
			sha.digest(digest, 0);
			return digest;
		} finally {
			sha.close();
		}
	}
}

class NativeHasher implements ImageHasher {
	readonly #sha: Hash;
	readonly #digest = new Uint8Array(HASH_BYTES);

	constructor(sha: Hash) {
		this.#sha = sha;
	}

	update(buffer: Uint8Array, offset: number, byteCount: number): void {
		this.#sha.update(buffer, offset, byteCount);
	}

	digestHex(): string {
		this.#sha.digest(this.#digest, 0);
		return hexEncode(this.#digest);
	}
}
