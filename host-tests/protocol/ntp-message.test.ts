// The time out of an answer of a time server, and what is not taken for one.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ntpQuestion, parseNtpAnswer } from "../../src/protocol/ntp-message.js";

const COOKIE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const UNIX_1900 = 2_208_988_800;

function answer(ntpSeconds: number, change: (bytes: Buffer) => void = () => {}): Buffer {
	const bytes = Buffer.alloc(48);
	bytes.set([0x24, 1]);
	bytes.set(COOKIE, 24);
	bytes.writeUInt32BE(ntpSeconds % 2 ** 32, 40);
	bytes.writeUInt32BE(0x8000_0000, 44);
	change(bytes);
	return bytes;
}

describe("an answer", () => {
	test("gives the time, to the millisecond", () => {
		const unix = Date.UTC(2026, 0, 31, 12, 0, 0) / 1000;
		expect(parseNtpAnswer(answer(unix + UNIX_1900), COOKIE)).toBe(unix * 1000 + 500);
	});

	test("of the era that begins in 2036 is later, not in 1900", () => {
		const unix = Date.UTC(2040, 0, 1) / 1000;
		expect(parseNtpAnswer(answer(unix + UNIX_1900), COOKIE)).toBe(unix * 1000 + 500);
	});

	test.each([
		["to another question", (bytes: Buffer) => bytes.writeUInt8(9, 31)],
		["of a client", (bytes: Buffer) => bytes.writeUInt8(0x23, 0)],
		["of a clock that is not set", (bytes: Buffer) => bytes.writeUInt8(0xe4, 0)],
		["that sends the asker away", (bytes: Buffer) => bytes.writeUInt8(0, 1)],
		["of no stratum", (bytes: Buffer) => bytes.writeUInt8(16, 1)],
		["without a time", (bytes: Buffer) => bytes.writeUInt32BE(0, 40)],
	])("%s is none", (_what, change) => {
		expect(parseNtpAnswer(answer(UNIX_1900 + 1_800_000_000, change), COOKIE)).toBeUndefined();
	});

	test("of any bytes is a time of this age or none", () => {
		fc.assert(
			fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
				if (bytes.length >= 32) bytes.set(COOKIE, 24);
				const time = parseNtpAnswer(bytes, COOKIE);
				if (time !== undefined) expect(new Date(time).getUTCFullYear()).toBeGreaterThan(2023);
			}),
		);
	});
});

test("a question carries the cookie where the answer brings it back from", () => {
	const bytes = Buffer.from(ntpQuestion(COOKIE));
	expect(bytes.length).toBe(48);
	expect([bytes[0], ...bytes.subarray(40)]).toEqual([0x23, ...COOKIE]);
});
