// Encodings, versions, credentials, identity records, images: round trips, and refusal of everything else.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeAuthorization, parseAuthorization } from "../../src/protocol/device-auth.js";
import {
	base64urlDecode,
	base64urlEncode,
	crc32,
	hexDecode,
	hexEncode,
	utf8Decode,
	utf8Encode,
} from "../../src/protocol/encoding.js";
import { ERROR_CODES, FotaError, isErrorCode, SECURITY_CODES } from "../../src/protocol/error-codes.js";
import { checkImage, parseImagePreamble } from "../../src/protocol/esp-image.js";
import { encodeIdentityRecord, parseIdentityRecord } from "../../src/protocol/identity.js";
import { compareVersions, isVersion } from "../../src/protocol/version.js";
import { fakeImage } from "../fakes/fake-image.js";
import { name, outcomeOf, version } from "./arbitraries.js";

const bytes = fc.uint8Array({ maxLength: 300 });

describe("the encodings", () => {
	it("agree with Node's, both ways", () => {
		fc.assert(
			fc.property(bytes, (item) => {
				const buffer = Buffer.from(item);
				expect(hexEncode(item)).toBe(buffer.toString("hex"));
				expect(base64urlEncode(item)).toBe(buffer.toString("base64url"));
				expect(hexDecode(hexEncode(item), item.length)).toEqual(item);
				expect(base64urlDecode(base64urlEncode(item))).toEqual(item);
			}),
		);
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				expect(Buffer.from(utf8Encode(text))).toEqual(Buffer.from(text, "utf8"));
				expect(utf8Decode(utf8Encode(text))).toBe(Buffer.from(text, "utf8").toString("utf8"));
			}),
		);
	});

	it("decode only what is exactly the encoding", () => {
		const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
		fc.assert(
			fc.property(bytes, (item) => {
				let wanted: string | undefined;
				try {
					wanted = strict.decode(item);
				} catch {
					wanted = undefined;
				}
				expect(utf8Decode(item)).toBe(wanted);
			}),
			{ numRuns: 1000 },
		);
		fc.assert(
			fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) => {
				const decoded = base64urlDecode(text);
				if (decoded !== undefined) expect(base64urlEncode(decoded)).toBe(text);
				const hex = hexDecode(text, text.length >> 1);
				if (hex !== undefined) expect(hexEncode(hex)).toBe(text);
			}),
			{ numRuns: 1000 },
		);
	});

	it("have the CRC-32 of IEEE 802.3", () => {
		expect(crc32(utf8Encode("123456789"))).toBe(0xcbf4_3926);
	});
});

describe("a version", () => {
	it("orders as in the example of SemVer 2.0.0 §11", () => {
		const ordered = [
			"1.0.0-alpha",
			"1.0.0-alpha.1",
			"1.0.0-alpha.beta",
			"1.0.0-beta",
			"1.0.0-beta.2",
			"1.0.0-beta.11",
			"1.0.0-rc.1",
			"1.0.0",
			"2.0.0",
			"2.1.0",
			"2.1.1",
		];
		ordered.forEach((left, i) => {
			ordered.forEach((right, j) => {
				expect(Math.sign(compareVersions(left, right))).toBe(Math.sign(i - j));
			});
		});
	});

	it("has a total order that does not see build metadata", () => {
		fc.assert(
			fc.property(version, version, version, (a, b, c) => {
				expect(isVersion(a)).toBe(true);
				expect(Math.sign(compareVersions(a, b)) + Math.sign(compareVersions(b, a))).toBe(0);
				expect(compareVersions(a, a)).toBe(0);
				if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
					expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
			}),
		);
	});

	it.each([
		"",
		"1",
		"1.0",
		"01.0.0",
		"1.0.0-",
		"1.0.0-01",
		"1.0.0-a..b",
		"1.0.0+",
		"v1.0.0",
		"1.0.0\n",
		"1.0.0-ä",
		"1234567890.0.0",
		"1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaa",
	])("is not %j", (text) => {
		expect(isVersion(text)).toBe(false);
	});
});

describe("the authorization header", () => {
	it("is read back as it was written", () => {
		const mac = fc.uint8Array({ minLength: 32, maxLength: 32 });
		fc.assert(
			fc.property(name, fc.integer({ min: 1 }), mac, (deviceId, nonce, item) => {
				const header = encodeAuthorization({ deviceId, nonce, macHex: hexEncode(item) });
				expect(parseAuthorization(header)).toEqual({ deviceId, nonce, mac: item });
			}),
		);
	});

	it("has one spelling only", () => {
		const header = encodeAuthorization({ deviceId: "dev", nonce: 5, macHex: "ab".repeat(32) });
		for (const other of [
			` ${header}`,
			`${header} `,
			header.replace(", ", ","),
			header.replace('"5"', '"05"'),
			header.replace('"5"', '"0"'),
			header.replace('"5"', '"9007199254740992"'),
			header.replace("ab", "AB"),
			header.replace("dev", "d v"),
			`${header}\n`,
			"",
			"x".repeat(10_000),
		])
			expect(parseAuthorization(other)).toBeUndefined();
	});
});

describe("an identity record", () => {
	it("is read back, and no single changed byte of it is taken", () => {
		fc.assert(
			fc.property(
				fc.uint8Array({ maxLength: 400 }),
				fc.integer({ min: 1, max: 0xffff_fffe }),
				fc.nat(),
				fc.integer({ min: 1, max: 255 }),
				(document, sequence, at, change) => {
					const sector = encodeIdentityRecord({ sequence, document });
					expect(parseIdentityRecord(sector)).toEqual({ sequence, document });
					const place = at % (16 + document.length);
					sector[place] = (sector[place] ?? 0) ^ change;
					expect(parseIdentityRecord(sector)).toBeUndefined();
				},
			),
		);
	});

	it("is not found in erased, short or random bytes", () => {
		expect(parseIdentityRecord(new Uint8Array(4096).fill(0xff))).toBeUndefined();
		expect(parseIdentityRecord(new Uint8Array(100))).toBeUndefined();
		expect(outcomeOf(() => encodeIdentityRecord({ sequence: 1, document: new Uint8Array(4096) }))).toEqual({
			code: "storage-failed",
		});
		fc.assert(
			fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), (sector) => {
				expect(parseIdentityRecord(sector)).toBeUndefined();
			}),
			{ numRuns: 20 },
		);
	});
});

describe("an image", () => {
	it("is accepted whole and says what it is", () => {
		const image = fakeImage({ version: "1.2.3", sizeBytes: 4096 });
		expect(checkImage(image)).toMatchObject({ version: "1.2.3", chip: "esp32c3", hashOffsetBytes: 4064 });
	});

	it("is refused as image-invalid when it is cut, lengthened, or damaged before its hash", () => {
		const image = fakeImage({ version: "1.2.3", sizeBytes: 4096 });
		fc.assert(
			fc.property(fc.nat(4000), fc.integer({ min: 1, max: 255 }), (at, change) => {
				expect(outcomeOf(() => checkImage(image.slice(0, at)))).toEqual({ code: "image-invalid" });
				const damaged = image.slice();
				damaged[288 + (at % 3700)] = (damaged[288 + (at % 3700)] ?? 0) ^ change;
				expect(outcomeOf(() => checkImage(damaged))).toEqual({ code: "image-invalid" });
			}),
		);
		expect(outcomeOf(() => checkImage(Uint8Array.from([...image, 0])))).toEqual({ code: "image-invalid" });
	});

	it("never makes the parser throw anything else, whatever the bytes", () => {
		const head = fakeImage({ version: "1.2.3", sizeBytes: 1024 });
		const damaged = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }).map((changes) => {
			const copy = head.slice();
			for (const [at, byte] of changes) copy[at] = byte;
			return copy;
		});
		fc.assert(
			fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), damaged), (item) => {
				for (const outcome of [outcomeOf(() => parseImagePreamble(item)), outcomeOf(() => checkImage(item))])
					if ("code" in outcome) expect(outcome.code).toBe("image-invalid");
			}),
			{ numRuns: 500 },
		);
	});
});

describe("the error codes", () => {
	it("say who raises each, whether it is tried again, and what to do", () => {
		for (const [code, text] of Object.entries(ERROR_CODES)) {
			expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
			expect(text).toMatch(/^(Device|Server|Device and server|Server, and a device for a push): /);
			expect(isErrorCode(code)).toBe(true);
		}
		for (const code of SECURITY_CODES) expect(isErrorCode(code)).toBe(true);
		for (const foreign of ["toString", "__proto__", ""]) expect(isErrorCode(foreign)).toBe(false);
		expect(new FotaError("hash-mismatch", "m")).toMatchObject({ name: "FotaError", code: "hash-mismatch" });
	});
});
