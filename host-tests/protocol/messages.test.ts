// Every JSON message: what is encoded is read back, and whatever else comes is refused with the stated code.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64urlEncode, utf8Encode } from "../../src/protocol/encoding.js";
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import {
	DEFAULT_SETTINGS,
	encodeIdentity,
	type Identity,
	parseIdentity,
} from "../../src/protocol/identity.js";
import { JSON_MAX_DEPTH } from "../../src/protocol/limits.js";
import { encodeManifest, parseManifest } from "../../src/protocol/manifest.js";
import { encodeProblem, parseProblem } from "../../src/protocol/problem.js";
import { encodeSigningInput, parseSignedStatement } from "../../src/protocol/release-statement.js";
import { encodeRollbackStatus, parseRollbackStatus } from "../../src/protocol/rollback-order.js";
import {
	encodeStatusAnswer,
	encodeStatusReport,
	parseStatusAnswer,
	parseStatusReport,
} from "../../src/protocol/status-report.js";
import type { Surroundings } from "../../src/protocol/surroundings.js";
import { errorCode, garbage, manifest, name, outcomeOf, report, statement, text } from "./arbitraries.js";

const SIGNATURE = base64urlEncode(new Uint8Array(64).fill(7));
const KEY_ID = "0123456789abcdef";
const jws = statement.map((item) => `${encodeSigningInput(item, KEY_ID)}.${SIGNATURE}`);
const key = (length: number, first: number) =>
	fc
		.uint8Array({ minLength: length, maxLength: length })
		.map((bytes) => Uint8Array.from([first, ...bytes.slice(1)]));
const surroundings: fc.Arbitrary<Surroundings> = fc.record(
	{
		wifi: fc.record({
			ssid: fc.constantFrom("Café 2", "x", "a".repeat(32), "ä".repeat(16)),
			password: fc.constantFrom("", "12345678", "p".repeat(63), 'a "quoted" one\\'),
		}),
		hostname: fc.constantFrom("boiler", "a", "x-1"),
		led: fc.record({ pin: fc.integer({ min: 0, max: 48 }), active: fc.constantFrom("high", "low") }),
		ntp: fc.constantFrom("pool.ntp.org", "192.0.2.1"),
		push: fc.boolean(),
	},
	{ requiredKeys: [] },
);
const told: fc.Arbitrary<Identity> = fc.record({
	deviceId: name,
	deviceKey: key(32, 1),
	deviceType: name,
	releaseKeys: fc.array(key(65, 4), { minLength: 1, maxLength: 2 }),
	server: fc.record({
		host: fc.constantFrom("fota.example.org", "10.0.2.2"),
		port: fc.integer({ min: 1, max: 65_535 }),
	}),
	settings: fc.constant({ ...DEFAULT_SETTINGS, chunkBytes: 16_384, confirmSeconds: 60 }),
});
const identity = fc.tuple(told, surroundings).map(([first, second]): Identity => ({ ...first, ...second }));
const order = fc.option(fc.record({ orderId: fc.integer({ min: 1 }), reason: text }), { nil: undefined });
const problem = fc.record({
	status: fc.integer({ min: 400, max: 599 }),
	code: errorCode,
	detail: text,
	nextNonce: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
});

interface Message {
	readonly what: string;
	readonly code: ErrorCode;
	readonly value: fc.Arbitrary<unknown>;
	readonly encode: (value: never) => string;
	readonly parse: (bytes: Uint8Array) => unknown;
}

const MESSAGES: readonly Message[] = [
	{
		what: "a manifest",
		code: "answer-malformed",
		value: manifest,
		encode: encodeManifest,
		parse: parseManifest,
	},
	{
		what: "a status report",
		code: "request-malformed",
		value: report,
		encode: encodeStatusReport,
		parse: parseStatusReport,
	},
	{
		what: "an acknowledgement",
		code: "answer-malformed",
		value: fc.record({ isRollbackPending: fc.boolean() }),
		encode: encodeStatusAnswer,
		parse: parseStatusAnswer,
	},
	{
		what: "a rollback order",
		code: "answer-malformed",
		value: order,
		encode: encodeRollbackStatus,
		parse: parseRollbackStatus,
	},
	{
		what: "problem details",
		code: "answer-malformed",
		value: problem,
		encode: encodeProblem,
		parse: parseProblem,
	},
	{
		what: "an identity",
		code: "storage-failed",
		value: identity,
		encode: (value: Identity) => new TextDecoder().decode(encodeIdentity(value)),
		parse: parseIdentity,
	},
];

describe.each(MESSAGES)("$what", ({ code, value, encode, parse }) => {
	it("is read back as it was written", () => {
		fc.assert(
			fc.property(value, (item) => {
				expect(parse(utf8Encode(encode(item as never)))).toEqual(item);
			}),
		);
	});

	it("is refused with its code when it is anything else", () => {
		fc.assert(
			fc.property(garbage(value.map((item) => encode(item as never))), (bytes) => {
				const outcome = outcomeOf(() => parse(bytes));
				if ("code" in outcome) expect(outcome.code).toBe(code);
				// What is accepted is within the limits: it can be written and read again, the same.
				else expect(parse(utf8Encode(encode(outcome.value as never)))).toEqual(outcome.value);
			}),
			{ numRuns: 300 },
		);
	});

	it("is refused when it is too long, too deep, or not UTF-8", () => {
		const [item] = fc.sample(value, 1);
		const good = encode(item as never);
		const deepValue = `${"[".repeat(JSON_MAX_DEPTH)}${"]".repeat(JSON_MAX_DEPTH)}`;
		for (const bytes of [
			utf8Encode(good + " ".repeat(8192)),
			utf8Encode(`{"x":${deepValue},${good.slice(1)}`),
			Uint8Array.from([...utf8Encode(good.slice(0, -1)), 0xff, 0x7d]),
			utf8Encode("[".repeat(2000)),
			utf8Encode(`[${good}]`),
			new Uint8Array(),
		])
			expect(outcomeOf(() => parse(bytes))).toEqual({ code });
	});

	it("is refused when a required field is missing or of another type", () => {
		const fields = JSON.parse(encode(fc.sample(value, 1)[0] as never)) as Record<string, unknown>;
		const spoilt = Object.keys(fields).flatMap((field) => [
			{ ...fields, [field]: undefined },
			...[{}, [], -1, 1.5, 1e300, "\u0000", ""].map((bad) => ({ ...fields, [field]: bad })),
		]);
		for (const item of spoilt) {
			const outcome = outcomeOf(() => parse(utf8Encode(JSON.stringify(item))));
			if ("code" in outcome) expect(outcome.code).toBe(code);
			else expect(parse(utf8Encode(encode(outcome.value as never)))).toEqual(outcome.value);
		}
	});
});

describe("a release statement", () => {
	it("is read back as it was signed", () => {
		fc.assert(
			fc.property(statement, (item) => {
				const input = encodeSigningInput(item, KEY_ID);
				const signed = parseSignedStatement(`${input}.${SIGNATURE}`);
				expect(signed.statement).toEqual(item);
				expect(signed.keyId).toBe(KEY_ID);
				expect(signed.signingInput).toEqual(utf8Encode(input));
			}),
		);
	});

	it("is refused with its code when it is anything else", () => {
		const damaged = fc
			.tuple(jws, fc.nat(), fc.string({ unit: "binary", maxLength: 3 }))
			.map(([item, at, piece]) => {
				const place = at % item.length;
				return item.slice(0, place) + piece + item.slice(place + 1);
			});
		fc.assert(
			fc.property(
				fc.oneof(damaged, fc.string({ unit: "binary", maxLength: 1200 }), fc.constant("..")),
				(item) => {
					const outcome = outcomeOf(() => parseSignedStatement(item));
					if ("code" in outcome) expect(outcome.code).toBe("statement-malformed");
				},
			),
			{ numRuns: 500 },
		);
	});

	it("is refused for every header but the one", () => {
		const [input = ""] = fc.sample(statement, 1).map((item) => encodeSigningInput(item, KEY_ID));
		const payload = input.split(".")[1];
		for (const header of [
			{ alg: "none", kid: KEY_ID, typ: "fota-release" },
			{ alg: "HS256", kid: KEY_ID, typ: "fota-release" },
			{ alg: "ES256", kid: KEY_ID, typ: "JWT" },
			{ alg: "ES256", kid: KEY_ID, typ: "fota-release", crit: ["x"] },
			{ alg: "ES256", typ: "fota-release" },
			{ alg: "ES256", kid: "UPPER", typ: "fota-release" },
		]) {
			const text = `${base64urlEncode(utf8Encode(JSON.stringify(header)))}.${payload}.${SIGNATURE}`;
			expect(outcomeOf(() => parseSignedStatement(text))).toEqual({ code: "statement-malformed" });
		}
	});
});

describe("the slots of a report", () => {
	const parse = (slots: unknown) => {
		const [item] = fc.sample(report, 1);
		if (item === undefined) throw new Error("no report");
		const text = JSON.stringify({ ...JSON.parse(encodeStatusReport(item)), slots });
		return outcomeOf(() => parseStatusReport(utf8Encode(text)).slots);
	};

	it("are read with what is known of each", () => {
		const hash = "ab".repeat(32);
		expect(parse([`ota_0 running 1.0.0 ${hash}`, "ota_1 empty - -"])).toEqual({
			value: [
				{ label: "ota_0", state: "running", version: "1.0.0", hash },
				{ label: "ota_1", state: "empty", version: undefined, hash: undefined },
			],
		});
	});

	it.each([
		[["ota_0 running 1.0.0"]],
		[["ota_0  running 1.0.0 -"]],
		[["ota_0 sleeping 1.0.0 -"]],
		[[`ota_0 running ${"1".repeat(32)} -`]],
		[["ota_0 running 1.0.0 abcd"]],
		[["a empty - -", "b empty - -", "c empty - -", "d empty - -"]],
		["ota_0 running 1.0.0 -"],
	])("are refused as %j", (slots) => {
		expect(parse(slots)).toEqual({ code: "request-malformed" });
	});

	it("leave room: the longest report there is fits its limit", () => {
		const name = "n".repeat(32);
		const hash = "a".repeat(64);
		const version = "1".repeat(31);
		const text = encodeStatusReport({
			state: "BOOT_VERIFICATION",
			bootStatus: "boot_verification",
			deviceType: name,
			chip: "esp32s3",
			version,
			slot: "s".repeat(16),
			resetReason: "r".repeat(16),
			uptimeSeconds: 2 ** 32 - 1,
			target: { version, hash },
			chunksReceived: 8192,
			chunkCount: 8192,
			isVerified: false,
			trialBoots: 255,
			isRolledBack: false,
			rollbackOrderId: Number.MAX_SAFE_INTEGER,
			error: { code: "bootloader-without-rollback", message: "\u20ac".repeat(120) },
			isSecurityEvent: false,
			offsetBytes: 8 * 1024 * 1024,
			memoryMinBytes: 2 ** 32 - 1,
			rssiDbm: -128,
			slots: Array(3).fill({ label: "s".repeat(16), state: "previous", version, hash }),
		});
		expect(parseStatusReport(utf8Encode(text)).slots).toHaveLength(3);
	});
});

describe("a text from elsewhere", () => {
	const foreign = fc.oneof(
		fc.string({ unit: "binary", maxLength: 400 }),
		fc.constant("\u{1F600}".repeat(150)),
	);

	it("never makes a report, a problem or an order that the other side refuses", () => {
		fc.assert(
			fc.property(foreign, report, (message, item) => {
				const error = { code: "device-failed" as const, message };
				parseStatusReport(utf8Encode(encodeStatusReport({ ...item, error })));
				parseProblem(utf8Encode(encodeProblem({ status: 400, code: "device-failed", detail: message })));
				parseRollbackStatus(utf8Encode(encodeRollbackStatus({ orderId: 1, reason: message })));
			}),
		);
	});
});
