// The native crypto classes over Node's own, for adapters under test: same calls, same verdicts, and an error where
// the native one throws for use in the wrong order.

import { createHash, createHmac, createPublicKey, hkdfSync, timingSafeEqual, verify } from "node:crypto";
import type { NativeCrypto } from "../../src/adapters/derived-hmac.js";

const DIGEST_BYTES = 32;

export class NodeSha256 {
	#pieces: Uint8Array[] = [];
	#isClosed = false;

	update(buffer: Uint8Array, offset: number, count: number): void {
		if (this.#isClosed) throw new Error("closed");
		this.#pieces.push(slice(buffer, offset, count).slice());
	}

	digest(into: Uint8Array, offset: number): void {
		if (this.#isClosed) throw new Error("closed");
		const message = Buffer.concat(this.#pieces);
		const digest = createHash("sha256").update(message).digest();
		if (message.length <= REMEMBERED_MAX_BYTES) messages.set(digest.toString("hex"), message);
		slice(into, offset, DIGEST_BYTES).set(digest);
		this.#pieces = [];
	}

	close(): void {
		this.#isClosed = true;
	}
}

export class NodeHmacSha256 {
	static openCount = 0;
	readonly #key: Uint8Array;
	#hmac: ReturnType<typeof createHmac> | undefined;
	#isSigning = false;
	#isClosed = false;

	constructor(key: Uint8Array) {
		this.#key = key.slice();
		NodeHmacSha256.openCount += 1;
	}

	startSign(): void {
		this.#start(true);
	}

	startVerify(): void {
		this.#start(false);
	}

	update(buffer: Uint8Array, offset: number, count: number): void {
		if (this.#hmac === undefined) throw new Error("not started");
		this.#hmac.update(slice(buffer, offset, count));
	}

	digest(into: Uint8Array, offset: number): void {
		slice(into, offset, DIGEST_BYTES).set(this.#end(true));
	}

	verify(mac: Uint8Array, offset: number): boolean {
		return timingSafeEqual(this.#end(false), slice(mac, offset, DIGEST_BYTES));
	}

	close(): void {
		if (!this.#isClosed) NodeHmacSha256.openCount -= 1;
		this.#isClosed = true;
		this.#hmac = undefined;
	}

	#start(isSigning: boolean): void {
		if (this.#isClosed) throw new Error("closed");
		this.#isSigning = isSigning;
		this.#hmac = createHmac("sha256", this.#key);
	}

	#end(isSigning: boolean): Uint8Array {
		if (this.#hmac === undefined || this.#isSigning !== isSigning) throw new Error("not started");
		const digest = this.#hmac.digest();
		this.#hmac = undefined;
		return digest;
	}
}

export function nodeCrypto(): NativeCrypto {
	return {
		functions: {
			hkdf(salt, ikm, info, into) {
				into.set(new Uint8Array(hkdfSync("sha256", ikm, salt, info, into.length)));
			},
			verifyEs256(publicKey, hash, signature) {
				return verifyHash(publicKey, hash, signature);
			},
		},
		Sha256: NodeSha256,
		HmacSha256: NodeHmacSha256,
	};
}

/** Node verifies messages, the native function hashes: what a hash was made of, by the hash in hex. */
const messages = new Map<string, Uint8Array>();
const REMEMBERED_MAX_BYTES = 2048;

function verifyHash(publicKey: Uint8Array, hash: Uint8Array, signature: Uint8Array): boolean {
	const message = messages.get(Buffer.from(hash).toString("hex"));
	if (message === undefined) return false;
	const x = Buffer.from(publicKey.subarray(1, 33)).toString("base64url");
	const y = Buffer.from(publicKey.subarray(33)).toString("base64url");
	const key = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
	return verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
}

function slice(buffer: Uint8Array, offset: number, count: number): Uint8Array {
	if (offset < 0 || count < 0 || offset + count > buffer.length) throw new RangeError("outside the buffer");
	return buffer.subarray(offset, offset + count);
}
