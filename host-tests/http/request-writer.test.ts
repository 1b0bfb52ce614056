// What the request writer writes, byte for byte, and what it refuses before a byte is sent.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RequestError } from "../../src/http/request-error.js";
import { REQUEST_ERRORS } from "../../src/http/request-error.js";
import type { RequestHead } from "../../src/http/request-writer.js";
import { writeRequestHead } from "../../src/http/request-writer.js";

const BASE: RequestHead = { method: "GET", path: "/", host: "fota.example" };

function write(change: Partial<RequestHead>, sizeBytes = 1024): string {
	const buffer = new Uint8Array(sizeBytes);
	const result = writeRequestHead(buffer, { ...BASE, ...change });
	return typeof result === "string" ? result : String.fromCharCode(...buffer.subarray(0, result));
}

const withHeader = (name: string, value: string): Partial<RequestHead> => ({ headers: [{ name, value }] });

describe("the request writer writes", () => {
	it("the least: a GET with its host", () => {
		expect(write({})).toBe("GET / HTTP/1.1\r\nHost: fota.example\r\n\r\n");
	});

	it("a POST with query, port, length and headers in their order", () => {
		const headers = [
			{ name: "Authorization", value: 'FOTA-HMAC-SHA256 device="a", nonce="1", mac="b="' },
			{ name: "X-Empty", value: "" },
		];
		expect(
			write({
				method: "POST",
				path: "/a/b?c=1&d=%20",
				host: "10.0.2.2:8080",
				headers,
				contentLengthBytes: 17,
			}),
		).toBe(
			"POST /a/b?c=1&d=%20 HTTP/1.1\r\nHost: 10.0.2.2:8080\r\nContent-Length: 17\r\n" +
				'Authorization: FOTA-HMAC-SHA256 device="a", nonce="1", mac="b="\r\nX-Empty: \r\n\r\n',
		);
	});

	it("a length of 0 where one is given", () => {
		expect(write({ contentLengthBytes: 0 })).toContain("Content-Length: 0\r\n");
	});

	it("into a buffer that is just large enough, and not into one a byte smaller", () => {
		const byteCount = write({}).length;
		expect(write({}, byteCount)).toBe(write({}));
		expect(write({}, byteCount - 1)).toBe("request-too-long");
	});
});

const refusals: readonly { title: string; change: Partial<RequestHead>; error: RequestError }[] = [
	{ title: "a method in lower case", change: { method: "get" as "GET" }, error: "bad-method" },
	{ title: "an empty method", change: { method: "" as "GET" }, error: "bad-method" },
	{ title: "a method with a blank", change: { method: "GET /" as "GET" }, error: "bad-method" },
	{ title: "an empty path", change: { path: "" }, error: "bad-path" },
	{ title: "a path that does not begin with a slash", change: { path: "x/y" }, error: "bad-path" },
	{ title: "a path with a blank", change: { path: "/a b" }, error: "bad-path" },
	{ title: "a path with a line break", change: { path: "/a\r\nX: y" }, error: "bad-path" },
	{ title: "a path with NUL", change: { path: "/a\0" }, error: "bad-path" },
	{ title: "a path beyond ASCII", change: { path: "/\u0141" }, error: "bad-path" },
	{ title: "a path with a fragment", change: { path: "/a#b" }, error: "bad-path" },
	{ title: "an empty host", change: { host: "" }, error: "bad-host" },
	{ title: "a host with a line break", change: { host: "a\r\nX: y" }, error: "bad-host" },
	{ title: "a header without a name", change: withHeader("", "a"), error: "bad-request-header" },
	{ title: "a header's name with a colon", change: withHeader("a:b", "a"), error: "bad-request-header" },
	{ title: "a header's value with CR LF", change: withHeader("a", "b\r\nc: d"), error: "bad-request-header" },
	{ title: "a header's value with LF", change: withHeader("a", "b\nc"), error: "bad-request-header" },
	{ title: "a header's value with NUL", change: withHeader("a", "b\0"), error: "bad-request-header" },
	{
		title: "a header's value that would turn into LF as a byte",
		change: withHeader("a", "\u010a"),
		error: "bad-request-header",
	},
	{
		title: "a header's value beyond ASCII",
		change: withHeader("a", "\u{1f600}"),
		error: "bad-request-header",
	},
	{ title: "a blank before a value", change: withHeader("a", " b"), error: "bad-request-header" },
	{ title: "a blank behind a value", change: withHeader("a", "b "), error: "bad-request-header" },
	{ title: "a second Host", change: withHeader("hOST", "b"), error: "reserved-header" },
	{ title: "a second Content-Length", change: withHeader("Content-Length", "1"), error: "reserved-header" },
	{
		title: "a Transfer-Encoding",
		change: withHeader("Transfer-Encoding", "chunked"),
		error: "reserved-header",
	},
	{ title: "a Connection", change: withHeader("Connection", "close"), error: "reserved-header" },
	{ title: "a negative length", change: { contentLengthBytes: -1 }, error: "bad-body-length" },
	{ title: "half a byte", change: { contentLengthBytes: 0.5 }, error: "bad-body-length" },
	{
		title: "a length that is not a number",
		change: { contentLengthBytes: Number.NaN },
		error: "bad-body-length",
	},
	{ title: "a head that does not fit", change: { path: `/${"a".repeat(2000)}` }, error: "request-too-long" },
];

describe("the request writer refuses", () => {
	for (const { title, change, error } of refusals) it(title, () => expect(write(change)).toBe(error));

	it("for every reason it has a code for", () => {
		expect(REQUEST_ERRORS.filter((code) => !refusals.some((refusal) => refusal.error === code))).toEqual([]);
	});

	it("or writes exactly one head, whatever text it is given", () => {
		const units = fc.array(fc.integer({ min: 0, max: 0x17f }), { maxLength: 12 });
		const text = fc.oneof(
			units.map((codes) => String.fromCharCode(...codes)),
			fc.string({ minLength: 1, maxLength: 12 }),
			fc.constantFrom("/", "a\r\nb", "\n", "x"),
		);
		fc.assert(
			fc.property(text, text, text, text, (path, host, name, value) => {
				const written = write({ path: `/${path}`, host, headers: [{ name, value }] });
				if ((REQUEST_ERRORS as readonly string[]).includes(written)) return;
				expect(written).toBe(`GET /${path} HTTP/1.1\r\nHost: ${host}\r\n${name}: ${value}\r\n\r\n`);
				expect(written.split("\r\n")).toHaveLength(5);
				expect(written).toMatch(/^[\r\n -~]*$/);
			}),
			{ numRuns: 1000 },
		);
	});
});
