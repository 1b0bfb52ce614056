// The crypto natives on XS against published vectors: FIPS 180-4 (SHA-256), RFC 4231 (HMAC), RFC 5869 (HKDF),
// RFC 7515 A.3 (ES256); and what they refuse.
import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { runModule } from "./xs-device.js";

const hex = (text: string) => Buffer.from(text).toString("hex");
const bytes = (byte: string, count: number) => byte.repeat(count);
const range = (first: number, last: number) =>
	Buffer.from(Array.from({ length: last - first + 1 }, (_, i) => first + i)).toString("hex");

const SHA256 = [
	["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
	[hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
	[
		hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	],
] as const;

/** RFC 4231, 4.2 to 4.8 without 4.6 (truncated): key, data, MAC. */
const HMAC = [
	[bytes("0b", 20), hex("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"],
	[
		hex("Jefe"),
		hex("what do ya want for nothing?"),
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
	],
	[bytes("aa", 20), bytes("dd", 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"],
	[range(1, 25), bytes("cd", 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"],
	[
		bytes("aa", 131),
		hex("Test Using Larger Than Block-Size Key - Hash Key First"),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
	],
	[
		bytes("aa", 131),
		hex(
			"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.",
		),
		"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
	],
] as const;

/** RFC 5869, A.1 to A.3: salt, input key, info, output. */
const HKDF = [
	[
		range(0, 0x0c),
		bytes("0b", 22),
		range(0xf0, 0xf9),
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
	],
	[
		range(0x60, 0xaf),
		range(0, 0x4f),
		range(0xb0, 0xff),
		"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
	],
	[
		"",
		bytes("0b", 22),
		"",
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
	],
] as const;

const base64url = (text: string) => Buffer.from(text, "base64url").toString("hex");

/** RFC 7515, A.3: the signing input is the encoded header, a full stop, and the encoded payload. */
const ES256 = {
	publicKey: `04${base64url("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")}${base64url("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")}`,
	hash: createHash("sha256")
		.update(
			"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
		)
		.digest("hex"),
	signature: base64url(
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
	),
};

const flip = (text: string, at: number) =>
	text.slice(0, at) + (Number.parseInt(text[at] ?? "0", 16) ^ 1).toString(16) + text.slice(at + 1);

const ES256_CASES = [
	["the right signature", ES256.publicKey, ES256.hash, ES256.signature, true],
	["another r", ES256.publicKey, ES256.hash, flip(ES256.signature, 9), false],
	["another s", ES256.publicKey, ES256.hash, flip(ES256.signature, 99), false],
	["another hash", ES256.publicKey, flip(ES256.hash, 3), ES256.signature, false],
	["a key that is no point", flip(ES256.publicKey, 70), ES256.hash, ES256.signature, false],
	["a compressed key", ES256.publicKey.slice(0, 66), ES256.hash, ES256.signature, false],
	["a short signature", ES256.publicKey, ES256.hash, ES256.signature.slice(2), false],
	["r and s zero", ES256.publicKey, ES256.hash, bytes("00", 64), false],
	["r and s all ones", ES256.publicKey, ES256.hash, bytes("ff", 64), false],
] as const;

const MODULE = `
import { FotaCrypto, HmacSha256, Sha256 } from "native/fota-crypto";
const digits = "0123456789abcdef";
const toHex = (data) => Array.from(data, (b) => digits[b >> 4] + digits[b & 15]).join("");
const fromHex = (text) => Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
const fails = (act) => { try { act(); return "no error"; } catch (error) { return error.name + ": " + error.message; } };
export default function (print) {
	const crypto = new FotaCrypto();
	const results = {};
	const sha = new Sha256();
	results.sha256 = ${JSON.stringify(SHA256)}.map(([data]) => {
		const message = fromHex(data), into = new Uint8Array(40);
		for (let i = 0; i < message.length; i += 7) sha.update(message, i, Math.min(7, message.length - i));
		sha.digest(into, 4);
		return toHex(into.slice(4, 36));
	});
	const million = new Uint8Array(10000).fill(97), out = new Uint8Array(32);
	for (let i = 0; i < 100; i++) sha.update(million, 0, million.length);
	sha.digest(out, 0);
	results.million = toHex(out);
	results.hmac = ${JSON.stringify(HMAC)}.map(([key, data, mac]) => {
		const hmac = new HmacSha256(fromHex(key)), message = fromHex(data), right = fromHex(mac), wrong = fromHex(mac);
		wrong[31] ^= 1;
		hmac.startSign();
		hmac.update(message, 0, 3);
		hmac.update(message, 3, message.length - 3);
		hmac.digest(out, 0);
		const check = (candidate) => { hmac.startVerify(); hmac.update(message, 0, message.length); return hmac.verify(candidate, 0); };
		const answers = [toHex(out), check(right), check(wrong), check(right)];
		hmac.close();
		return answers;
	});
	results.hkdf = ${JSON.stringify(HKDF)}.map(([salt, key, info, output]) => {
		const into = new Uint8Array(output.length / 2);
		crypto.hkdf(fromHex(salt), fromHex(key), fromHex(info), into);
		return toHex(into);
	});
	results.es256 = ${JSON.stringify(ES256_CASES)}.map(([, key, hash, signature]) =>
		crypto.verifyEs256(fromHex(key), fromHex(hash), fromHex(signature)));
	const a = new Uint8Array(32), b = new Uint8Array(32);
	crypto.random(a);
	crypto.random(b);
	results.random = [toHex(a), toHex(b)];
	const closed = new Sha256(), hmac = new HmacSha256(out);
	closed.close();
	closed.close();
	results.refusals = [
		fails(() => closed.update(out, 0, 1)),
		fails(() => sha.update(out, 1, 32)),
		fails(() => sha.update(out, 4294967295, 2)),
		fails(() => sha.update(out, -1, 1)),
		fails(() => sha.update(out, 0.5, 1)),
		fails(() => sha.update(out, NaN, 1)),
		fails(() => sha.digest(out, 1)),
		fails(() => sha.update("text", 0, 1)),
		fails(() => sha.update(out)),
		fails(() => hmac.update(out, 0, 1)),
		fails(() => { hmac.startSign(); hmac.verify(out, 0); }),
		fails(() => { hmac.startVerify(); hmac.digest(out, 0); }),
		fails(() => new HmacSha256(new Uint8Array(0))),
		fails(() => new HmacSha256(new Uint8Array(257))),
		fails(() => crypto.hkdf(out, new Uint8Array(0), out, out)),
		fails(() => crypto.hkdf(out, out, out, new Uint8Array(8161))),
		fails(() => Sha256.prototype.update.call(hmac, out, 0, 1)),
	];
	for (const name of Object.keys(results)) print(JSON.stringify([name, results[name]]));
}
`;

describe("on XS", () => {
	// biome-ignore lint/suspicious/noExplicitAny: each test knows the shape of its own result
	const results: Record<string, any> = {};
	beforeAll(async () => {
		for (const line of await runModule(MODULE)) {
			const [name, value] = JSON.parse(line);
			results[name] = value;
		}
	});

	test("SHA-256 gives the digests of FIPS 180-4, in whatever pieces", () => {
		expect(results.sha256).toEqual(SHA256.map(([, digest]) => digest));
		expect(results.million).toBe("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	});

	test("HMAC-SHA256 gives the MACs of RFC 4231 and takes no other", () => {
		expect(results.hmac).toEqual(HMAC.map(([, , mac]) => [mac, true, false, true]));
	});

	test("HKDF gives the keys of RFC 5869", () => {
		expect(results.hkdf).toEqual(HKDF.map(([, , , output]) => output));
	});

	test.each(ES256_CASES.map(([title, , , , isGood], index) => ({ title, isGood, index })))(
		"ES256 of RFC 7515 A.3 with $title is $isGood",
		({ isGood, index }) => {
			expect(results.es256[index]).toBe(isGood);
		},
	);

	test("random bytes differ", () => {
		expect(results.random[0]).not.toBe(results.random[1]);
	});

	test("what lies outside a buffer, is closed, of the wrong kind or not begun throws", () => {
		expect(results.refusals).toEqual([
			"Error: closed",
			"RangeError: outside the buffer",
			"RangeError: outside the buffer",
			"RangeError: not in range",
			"RangeError: not in range",
			"RangeError: not in range",
			"RangeError: outside the buffer",
			expect.stringMatching(/^TypeError/),
			expect.stringMatching(/missing argument|not in range/),
			"Error: not started",
			"Error: not verifying",
			"Error: not signing",
			"RangeError: key length",
			"RangeError: key length",
			"RangeError: key length",
			"RangeError: output length",
			expect.stringMatching(/^SyntaxError/),
		]);
	});
});
