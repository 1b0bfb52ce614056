// Messages of multicast DNS from anybody: what is read of them, and that nothing makes the reader throw, hang or read
// beyond. Bytes are made by hand where it matters, not by the writer.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	DNS_LABEL_BYTES_MAX,
	type DnsMessage,
	DnsType,
	parseDnsMessage,
} from "../../src/protocol/dns-message.js";
import { DnsWriter, type OwnRecord } from "../../src/protocol/dns-writer.js";
import { dnsAddress, dnsName, dnsQuery, u16 } from "../support/udp-peer.js";

const head = (questions: number, answers = 0) => u16(0, 0, questions, answers, 0, 0);
const pointer = (offset: number) => u16(0xc000 | offset);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** A question for the longest name, then as many questions, and records with targets, that lead to it. */
function expensive(options: { questions: number; records: number; announced?: number }): Buffer {
	const { questions, records, announced = questions } = options;
	const name = dnsName(
		["a", "b", "c", "d"].map((letter, index) => letter.repeat(index < 3 ? 63 : 61)).join("."),
	);
	expect(name).toHaveLength(255);
	return Buffer.concat([
		u16(0, 0, announced + 1, records, 0, 0),
		...[name, u16(255, 1)],
		...Array<Buffer>(questions).fill(Buffer.concat([pointer(12), u16(255, 1)])),
		...Array<Buffer>(records).fill(Buffer.concat([dnsName(""), u16(12, 1, 0, 1, 2), pointer(12)])),
	]);
}

/** Of all names that were read: labels with their lengths. */
function labelBytesOf(message: DnsMessage | undefined): number {
	if (message === undefined) return 0;
	const { questions, answers, authorities, additionals } = message;
	const records = [...answers, ...authorities, ...additionals];
	const names = [...questions, ...records].map(({ name }) => name);
	const targets = records.map(({ target }) => target ?? "");
	return sum([...names, ...targets].map((name) => (name === "" ? 0 : name.length + 1)));
}

describe("a message", () => {
	test("gives its question, in lower case", () => {
		const message = parseDnsMessage(
			dnsQuery({ id: 5, name: "_OTA._tcp.local", type: 12, classWord: 0x8001 }),
		);
		expect(message).toMatchObject({ id: 5, isResponse: false });
		expect(message?.questions).toEqual([{ name: "_ota._tcp.local", type: 12, isUnicastWanted: true }]);
	});

	test("gives its records; names may lead back", () => {
		// An answer "_ota._tcp.local PTR boiler._ota._tcp.local", the second name compressed.
		const bytes = Buffer.concat([
			u16(0, 0x8400, 0, 1, 0, 0),
			dnsName("_ota._tcp.local"),
			u16(12, 1, 0, 4500, 9),
			Buffer.from([6, ...Buffer.from("Boiler")]),
			pointer(12),
		]);
		expect(parseDnsMessage(bytes)?.answers).toMatchObject([
			{ name: "_ota._tcp.local", type: 12, ttlSeconds: 4500, target: "boiler._ota._tcp.local" },
		]);
	});

	test("tells a dot inside a label from one between labels", () => {
		const inside = Buffer.concat([head(1), Buffer.from([3, 0x61, 0x2e, 0x62, 0]), u16(1, 1)]);
		expect(parseDnsMessage(inside)?.questions[0]?.name).toBe("a\\.b");
	});

	test("with the name of the root has an empty name", () => {
		expect(parseDnsMessage(dnsQuery({ name: "", type: 255 }))?.questions[0]?.name).toBe("");
	});

	test.each([
		{ what: "leads to itself", name: pointer(12) },
		{ what: "leads forward", name: Buffer.concat([pointer(14), Buffer.from([0])]) },
		{ what: "leads in a circle", name: Buffer.concat([Buffer.from([1, 0x61]), pointer(12)]) },
		{ what: "leads beyond the end", name: u16(0xffff) },
		{ what: "has a label of a kind that there is not", name: Buffer.from([0x41, 0x61, 0]) },
		{ what: "is longer than 255", name: dnsName(Array(5).fill("a".repeat(63)).join(".")) },
		{ what: "is cut off", name: Buffer.from([9, 0x61]) },
	])("whose name $what is none", ({ name }) => {
		expect(parseDnsMessage(Buffer.concat([head(1), name, u16(1, 1)]))).toBeUndefined();
	});

	test.each([
		{ what: "a record longer than the message", bytes: dnsAddress({ name: "a.local", address: [1, 2, 3] }) },
		{
			what: "more questions announced than there are",
			bytes: Buffer.concat([head(2), dnsName("a"), u16(1, 1)]),
		},
		{ what: "another operation", bytes: Buffer.concat([u16(0, 0x2800, 0, 0, 0, 0)]) },
		{ what: "a failure", bytes: Buffer.concat([u16(0, 0x8003, 0, 0, 0, 0)]) },
		{ what: "more than 1472 bytes", bytes: Buffer.alloc(1473) },
		{ what: "less than a head", bytes: Buffer.alloc(11) },
	])("with $what is none", ({ bytes }) => {
		expect(parseDnsMessage(bytes)).toBeUndefined();
	});

	test.each([
		{ what: "as many records as there may be", counts: [0, 10, 20, 2], isRead: true },
		{ what: "one record more", counts: [0, 10, 20, 3], isRead: false },
		{ what: "as many questions as there may be", counts: [16, 0, 0, 0], isRead: true },
		{ what: "one question more", counts: [17, 0, 0, 0], isRead: false },
	])("with $what is read: $isRead", ({ counts, isRead }) => {
		const [questions = 0, ...records] = counts;
		const bytes = Buffer.concat([
			u16(0, 0, ...counts),
			...Array<Buffer>(questions).fill(Buffer.concat([dnsName("a"), u16(1, 1)])),
			...Array<Buffer>(sum(records)).fill(
				Buffer.concat([dnsName("a"), u16(1, 1, 0, 1, 4), Buffer.from([1, 2, 3, 4])]),
			),
		]);
		expect(parseDnsMessage(bytes) !== undefined).toBe(isRead);
	});

	test.each([
		{ what: "200 questions", bytes: expensive({ questions: 200, records: 0 }) },
		{ what: "15 questions", bytes: expensive({ questions: 15, records: 0 }) },
		{ what: "92 records", bytes: expensive({ questions: 0, records: 92 }) },
		{ what: "31 records", bytes: expensive({ questions: 0, records: 31 }) },
	])("with $what that lead to one long name is none", ({ bytes }) => {
		expect(bytes.length).toBeLessThanOrEqual(1472);
		expect(parseDnsMessage(bytes)).toBeUndefined();
	});

	test("whose names need as many bytes as they may is read, with one byte more not", () => {
		// Seven names of 254 bytes of labels, the head's included, and what is left in an eighth.
		const bytes = (labelBytes: number) =>
			Buffer.concat([
				expensive({ questions: 7, records: 0, announced: 8 }),
				...[dnsName("b".repeat(labelBytes - 1)), u16(1, 1)],
			]);
		const rest = DNS_LABEL_BYTES_MAX - 8 * 254;
		expect(labelBytesOf(parseDnsMessage(bytes(rest)))).toBe(DNS_LABEL_BYTES_MAX);
		expect(parseDnsMessage(bytes(rest + 1))).toBeUndefined();
	});

	test("of any names and pointers costs no more bytes of labels than it may", () => {
		const entry = fc.tuple(fc.boolean(), fc.nat(60), fc.nat(9));
		let readCount = 0;
		fc.assert(
			fc.property(
				fc.integer({ min: 1, max: 63 }),
				fc.array(entry, { maxLength: 16 }),
				fc.array(entry, { maxLength: 34 }),
				(labelBytes, asked, told) => {
					const name = Array(4).fill("a".repeat(labelBytes)).join(".").slice(0, 253);
					// Leads to one of the labels of the first name, behind a label of its own or not.
					const lead = ([hasLabel, length, label]: readonly [boolean, number, number]) =>
						Buffer.concat([
							hasLabel ? Buffer.from([length + 1, ...Buffer.alloc(length + 1, 0x62)]) : Buffer.alloc(0),
							pointer(12 + (label % 4) * (labelBytes + 1)),
						]);
					const records = told.map((item) => {
						const target = lead(item);
						return Buffer.concat([lead(item), u16(12, 1, 0, 1, target.length), target]);
					});
					const bytes = Buffer.concat([
						u16(0, 0, asked.length + 1, told.length, 0, 0),
						...[dnsName(name), u16(255, 1)],
						...asked.map((item) => Buffer.concat([lead(item), u16(255, 1)])),
						...records,
					]);
					const message = parseDnsMessage(bytes);
					if (message !== undefined) readCount += 1;
					expect(labelBytesOf(message)).toBeLessThanOrEqual(DNS_LABEL_BYTES_MAX);
				},
			),
			{ numRuns: 2000 },
		);
		expect(readCount).toBeGreaterThan(200);
	});

	test("of any bytes is read without a throw, and quickly", () => {
		const record = Buffer.concat([dnsName("a.local"), u16(12, 1, 0, 1, 2), pointer(12)]);
		const near = fc
			.tuple(fc.uint8Array({ maxLength: 60 }), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }))
			.map(([tail, changes]) => {
				const bytes = Buffer.concat([
					head(1, 3),
					dnsName("x.local"),
					u16(255, 1),
					record,
					record,
					record,
					tail,
				]);
				for (const [at, value] of changes) bytes[at % bytes.length] = value;
				return Uint8Array.from(bytes);
			});
		const startMs = Date.now();
		fc.assert(
			fc.property(fc.oneof(fc.uint8Array({ maxLength: 1500 }), near), (bytes) => {
				const message = parseDnsMessage(bytes);
				for (const { name } of message?.questions ?? []) expect(name.length).toBeLessThan(520);
			}),
			{ numRuns: 3000 },
		);
		expect(Date.now() - startMs).toBeLessThan(20_000);
	});
});

describe("what is written", () => {
	const records: readonly OwnRecord[] = [
		{ name: "boiler.local", type: DnsType.A, ttlSeconds: 120, address: "192.0.2.250" },
		{ name: "_ota._tcp.local", type: DnsType.PTR, ttlSeconds: 4500, target: "boiler._ota._tcp.local" },
		{
			name: "boiler._ota._tcp.local",
			type: DnsType.SRV,
			ttlSeconds: 120,
			target: "boiler.local",
			port: 3232,
		},
		{ name: "boiler._ota._tcp.local", type: DnsType.TXT, ttlSeconds: 4500, texts: ["version=1.0.0", "a=b"] },
		{ name: "boiler.local", type: DnsType.NSEC, ttlSeconds: 120 },
	];
	const draft = {
		id: 0,
		isResponse: true,
		questions: [],
		answers: records,
		authorities: [],
		additionals: [],
	};

	test("is what the standard says, byte for byte", () => {
		const bytes = new DnsWriter(512).write({ ...draft, answers: records.slice(0, 2) });
		const expected = Buffer.concat([
			u16(0, 0x8400, 0, 2, 0, 0),
			...[dnsName("boiler.local"), u16(1, 0x8001, 0, 120, 4), Buffer.from([192, 0, 2, 250])],
			...[dnsName("_ota._tcp.local"), u16(12, 1, 0, 4500, 24), dnsName("boiler._ota._tcp.local")],
		]);
		expect(Buffer.from(bytes ?? [])).toEqual(expected);
	});

	test("is read back", () => {
		const message = parseDnsMessage(new DnsWriter(1024).write(draft) ?? new Uint8Array(0));
		expect(message?.answers.map(({ name, type, ttlSeconds }) => [name, type, ttlSeconds])).toEqual(
			records.map(({ name, type, ttlSeconds }) => [name, type, ttlSeconds]),
		);
		expect(message?.answers[2]?.target).toBe("boiler.local");
		expect(Buffer.from(message?.answers[3]?.data ?? [])).toEqual(Buffer.from("\rversion=1.0.0\x03a=b"));
	});

	test("for a plain client replaces nothing and is not kept for long", () => {
		const bytes = new DnsWriter(512).write({ ...draft, isLegacy: true, answers: records.slice(0, 1) });
		expect(Buffer.from(bytes ?? []).includes(u16(1, 1, 0, 10, 4))).toBe(true);
	});

	test("is nothing where it does not fit", () => {
		expect(new DnsWriter(40).write(draft)).toBeUndefined();
	});
});
