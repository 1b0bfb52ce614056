// What the response writer writes, and that it never writes what would be read as something else.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ResponseParser } from "../../src/http/response-parser.js";
import { type ResponseHead, writeResponseHead } from "../../src/http/response-writer.js";

function write(head: ResponseHead, roomBytes = 512): string | undefined {
	const buffer = new Uint8Array(roomBytes);
	const count = writeResponseHead(buffer, head);
	return count === undefined ? undefined : String.fromCharCode(...buffer.subarray(0, count));
}

describe("the response writer", () => {
	it("writes status, headers, length, and that the connection closes", () => {
		const headers = [{ name: "Content-Type", value: "application/json" }];
		expect(write({ status: 409, headers, contentLengthBytes: 12 })).toBe(
			"HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n",
		);
	});

	it("writes a status that it has no reason for without one", () => {
		expect(write({ status: 418, contentLengthBytes: 0 })).toMatch(/^HTTP\/1.1 418 \r\n/);
	});

	it.each<[string, ResponseHead]>([
		["an interim status", { status: 100, contentLengthBytes: 0 }],
		["a status that is none", { status: 600, contentLengthBytes: 0 }],
		["half a status", { status: 200.5, contentLengthBytes: 0 }],
		["a negative length", { status: 200, contentLengthBytes: -1 }],
		["a length that is no number", { status: 200, contentLengthBytes: Number.NaN }],
		[
			"a line break in a value",
			{ status: 200, headers: [{ name: "a", value: "b\r\nc: d" }], contentLengthBytes: 0 },
		],
		["a name with a colon", { status: 200, headers: [{ name: "a:b", value: "" }], contentLengthBytes: 0 }],
		["a header without a name", { status: 200, headers: [{ name: "", value: "" }], contentLengthBytes: 0 }],
		[
			"a second length",
			{ status: 200, headers: [{ name: "content-LENGTH", value: "1" }], contentLengthBytes: 0 },
		],
		[
			"a value that does not fit",
			{ status: 200, headers: [{ name: "a", value: "b".repeat(600) }], contentLengthBytes: 0 },
		],
	])("refuses %s", (_title, head) => {
		expect(write(head)).toBeUndefined();
	});

	it("writes what the response parser takes, whatever text it is given, or nothing", () => {
		const text = fc.string({ unit: fc.constantFrom(..."aZ0-_: \r\n\t\x00\xe9,;"), maxLength: 20 });
		fc.assert(
			fc.property(fc.integer({ min: 200, max: 599 }), text, text, (status, name, value) => {
				const written = write({ status, headers: [{ name, value }], contentLengthBytes: 0 });
				if (written === undefined) return;
				const parser = new ResponseParser({ headerNames: [], onHead: () => {}, onBody: () => {} });
				parser.begin(0);
				const bytes = Uint8Array.from(written, (character) => character.charCodeAt(0));
				expect(parser.feed(bytes, 0, bytes.length)).toBeUndefined();
				expect(parser.isDone).toBe(true);
				expect(parser.isKeepAlive).toBe(false);
			}),
			{ numRuns: 1000 },
		);
	});
});
