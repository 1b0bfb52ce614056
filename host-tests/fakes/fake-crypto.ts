// Real hashes and MACs from Node; the "signature" of fake-image.ts.
import { createHash, createHmac, type Hash } from "node:crypto";
import { chunkMacPrefix } from "../../src/protocol/chunk-frames.js";
import type { SignedStatement } from "../../src/protocol/release-statement.js";
import type { Crypto, ImageHasher } from "../../src/update/ports.js";

/** MAC of a chunk as the fake server sends it. */
export function chunkMac(hash: string, chunkNumber: number, data: Uint8Array): Uint8Array {
	const prefix = new Uint8Array(8);
	chunkMacPrefix(chunkNumber, data.length, prefix);
	return createHmac("sha256", `chunk key of ${hash}`).update(prefix).update(data).digest();
}

class NodeHasher implements ImageHasher {
	#hash: Hash | undefined;

	update(buffer: Uint8Array, offset: number, byteCount: number): void {
		this.#hash ??= createHash("sha256");
		this.#hash.update(buffer.subarray(offset, offset + byteCount));
	}

	digestHex(): string {
		const hash = this.#hash ?? createHash("sha256");
		this.#hash = undefined;
		return hash.digest("hex");
	}
}

export class FakeCrypto implements Crypto {
	readonly hasher: ImageHasher = new NodeHasher();
	#imageHash = "";

	isTrusted(signed: SignedStatement): boolean {
		return signed.signature.every((byte) => byte === 1);
	}

	useImage(hash: string): void {
		this.#imageHash = hash;
	}

	isChunkAuthentic(chunkNumber: number, buffer: Uint8Array, dataBytes: number): boolean {
		const mac = chunkMac(this.#imageHash, chunkNumber, buffer.subarray(0, dataBytes));
		return Buffer.compare(mac, buffer.subarray(dataBytes, dataBytes + 32)) === 0;
	}
}
