// The crypto port trusts the right keys and chunks, and nothing that was altered, moved or borrowed.

import { createHash, createHmac, generateKeyPairSync, hkdfSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { NativeCryptoPort } from "../../src/adapters/crypto.js";
import { keyIdOf, type SignedStatement } from "../../src/protocol/release-statement.js";
import { cryptoContract } from "../contracts/crypto.js";
import { describeContract } from "../contracts/on-node.js";
import { NodeHmacSha256, nodeCrypto } from "../fakes/node-crypto.js";

const DEVICE_KEY = new Uint8Array(32).fill(9);
const IMAGE = "11".repeat(32);
const OTHER_IMAGE = "22".repeat(32);

function releaseKey() {
	const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const { x = "", y = "" } = publicKey.export({ format: "jwk" });
	const point = new Uint8Array([4, ...Buffer.from(x, "base64url"), ...Buffer.from(y, "base64url")]);
	const keyId = keyIdOf(createHash("sha256").update(point).digest());
	return { privateKey, point, keyId };
}

type ReleaseKey = ReturnType<typeof releaseKey>;

function signed(key: ReleaseKey, text = "header.payload"): SignedStatement {
	const signingInput = new TextEncoder().encode(text);
	const signature = sign("sha256", signingInput, { key: key.privateKey, dsaEncoding: "ieee-p1363" });
	return { keyId: key.keyId, signingInput, signature, statement: {} as SignedStatement["statement"] };
}

function port(...keys: readonly ReleaseKey[]) {
	const releaseKeys = keys.map(({ point }) => point);
	return new NativeCryptoPort({ native: nodeCrypto(), deviceKey: DEVICE_KEY, releaseKeys });
}

/** Data and MAC as they lie in the frame buffer, made from docs/protocol.md §3.1 and §6. */
function frame(number: number, data: Uint8Array, image = IMAGE): Uint8Array {
	const info = Buffer.concat([Buffer.from("chunk"), Buffer.from(image, "hex")]);
	const key = Buffer.from(hkdfSync("sha256", DEVICE_KEY, "fota derived key 1", info, 32));
	const prefix = Buffer.alloc(8);
	prefix.writeUInt32BE(number, 0);
	prefix.writeUInt32BE(data.length, 4);
	return Buffer.concat([data, createHmac("sha256", key).update(prefix).update(data).digest()]);
}

const DATA = Uint8Array.from({ length: 1024 }, (_, i) => i & 255);

describeContract("NativeCryptoPort over Node's crypto", cryptoContract, () => {
	const [key, stranger] = [releaseKey(), releaseKey()];
	return {
		subject: {
			crypto: port(key),
			trusted: signed(key),
			untrusted: [signed(stranger), { ...signed(stranger), keyId: key.keyId }],
			images: { one: IMAGE, other: OTHER_IMAGE },
			mac: (image, number, data) => frame(number, data, image).subarray(data.length),
		},
	};
});

describe("a release", () => {
	it("is trusted when either of the trusted keys signed it", () => {
		const [first, second] = [releaseKey(), releaseKey()];
		const crypto = port(first, second);
		expect(crypto.isTrusted(signed(first))).toBe(true);
		expect(crypto.isTrusted(signed(second))).toBe(true);
	});

	it("is not trusted when a stranger signed it, under its own key id or a borrowed one", () => {
		const [trusted, stranger] = [releaseKey(), releaseKey()];
		const crypto = port(trusted);
		expect(crypto.isTrusted(signed(stranger))).toBe(false);
		expect(crypto.isTrusted({ ...signed(stranger), keyId: trusted.keyId })).toBe(false);
	});

	it("is not trusted when it was altered after signing", () => {
		const key = releaseKey();
		const statement = signed(key);
		expect(
			port(key).isTrusted({ ...statement, signingInput: new TextEncoder().encode("header.pAyload") }),
		).toBe(false);
	});
});

describe("a chunk", () => {
	it("is checked under the image in use, whose key is the only one kept", () => {
		const crypto = port(releaseKey());
		const openCount = NodeHmacSha256.openCount;
		for (const image of [IMAGE, OTHER_IMAGE, OTHER_IMAGE, IMAGE, OTHER_IMAGE]) crypto.useImage(image);
		expect(NodeHmacSha256.openCount).toBe(openCount + 1);
		expect(crypto.isChunkAuthentic(0, frame(0, DATA, OTHER_IMAGE), DATA.length)).toBe(true);
	});

	it("cannot be checked before an image is in use, nor under what is no hash", () => {
		const crypto = port(releaseKey());
		expect(() => crypto.isChunkAuthentic(0, frame(0, DATA), DATA.length)).toThrow("no image");
		expect(() => crypto.useImage("xyz")).toThrow(RangeError);
	});
});
