// What the simulator recorded is read whole or refused; only the last record may be cut short.
import { describe, expect, test } from "vitest";
import { parseWireCapture } from "../../../cli/simulator/wire-capture.js";
import { encodeCapture, type RecordOf } from "./capture-records.js";

const TALK: readonly RecordOf[] = [
	{ kind: "o", connection: 1 },
	{ kind: ">", connection: 1, bytes: "hello" },
	{ kind: "o", connection: 2 },
	{ kind: "<", connection: 1, bytes: "wor" },
	{ kind: ">", connection: 2, bytes: "x" },
	{ kind: "<", connection: 1, bytes: "ld" },
	{ kind: "c", connection: 1 },
];

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

describe("a capture", () => {
	test("gives each connection its pieces, numbered in the order of all", () => {
		const connections = parseWireCapture(encodeCapture(TALK));
		expect(
			connections.map(({ pieces }) =>
				pieces.map((piece) => [piece.order, piece.direction, text(piece.bytes)]),
			),
		).toEqual([
			[
				[1, "sent", "hello"],
				[3, "read", "wor"],
				[5, "read", "ld"],
			],
			[[4, "sent", "x"]],
		]);
		expect(connections.map(({ number, isClosed }) => [number, isClosed])).toEqual([
			[1, true],
			[2, false],
		]);
	});

	test("may be empty", () => {
		expect(parseWireCapture(new Uint8Array(0))).toEqual([]);
	});

	test("cut short anywhere gives what stands before the torn record", () => {
		const whole = encodeCapture(TALK);
		const ends = TALK.map((_, i) => encodeCapture(TALK.slice(0, i + 1)).length);
		for (let length = 0; length < whole.length; length++) {
			const wholeRecords = encodeCapture(TALK.slice(0, ends.filter((end) => end <= length).length));
			expect(parseWireCapture(whole.subarray(0, length))).toEqual(parseWireCapture(wholeRecords));
		}
	});

	test.each<[string, RecordOf[]]>([
		['there is no kind "x"', [{ kind: "x", connection: 1 }]],
		["connection 2 is opened out of turn", [{ kind: "o", connection: 2 }]],
		["connection 0 is opened out of turn", [{ kind: "o", connection: 0 }]],
		["connection 1 was never opened", [{ kind: ">", connection: 1, bytes: "x" }]],
		["connection 0 was never opened", [{ kind: "c", connection: 0 }]],
		[
			"connection 1 is closed already",
			[
				{ kind: "o", connection: 1 },
				{ kind: "c", connection: 1 },
				{ kind: "<", connection: 1, bytes: "x" },
			],
		],
		['kind "o" cannot have 1 bytes', [{ kind: "o", connection: 1, bytes: "x" }]],
		[
			'kind ">" cannot have 0 bytes',
			[
				{ kind: "o", connection: 1 },
				{ kind: ">", connection: 1 },
			],
		],
	])("is refused when %s", (problem, records) => {
		expect(() => parseWireCapture(encodeCapture(records))).toThrow(problem);
	});

	test("is refused when a record is longer than any can be, at once", () => {
		const torn = encodeCapture([{ kind: "o", connection: 1 }]);
		const head = Buffer.from([0x3c, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
		expect(() => parseWireCapture(Buffer.concat([torn, head]))).toThrow("offset 9: a record of kind");
	});
});
