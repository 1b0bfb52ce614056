// What the response parser refuses, each with its code, in any split.

import { describe, expect, it } from "vitest";
import { MAX_HEADERS, MAX_INTERIM_RESPONSES, MAX_RESPONSE_VALUES_BYTES } from "../../src/http/limits.js";
import type { ResponseError } from "../../src/http/response-error.js";
import { RESPONSE_ERRORS } from "../../src/http/response-error.js";
import { headOf, OK, readResponse, repeatLine } from "./read-response.js";

interface Refusal {
	readonly title: string;
	readonly input: string;
	readonly error: ResponseError;
	readonly maxBodyBytes?: number;
}

const refusals: readonly Refusal[] = [
	{ title: "a status line that is not HTTP", input: "SSH-2.0-OpenSSH\r\n", error: "bad-status-line" },
	{ title: "a status line of binary garbage", input: "\x00\xff\x16\x03\x01", error: "bad-status-line" },
	{ title: "HTTP in lower case", input: "http/1.1 200 OK\r\n", error: "bad-status-line" },
	{ title: "a status of two digits", input: "HTTP/1.1 20 OK\r\n", error: "bad-status-line" },
	{ title: "a status of four digits", input: "HTTP/1.1 2000 OK\r\n", error: "bad-status-line" },
	{ title: "a negative status", input: "HTTP/1.1 -20 OK\r\n", error: "bad-status-line" },
	{ title: "two blanks before the status", input: "HTTP/1.1  200 OK\r\n", error: "bad-status-line" },
	{ title: "no blank behind the status", input: "HTTP/1.1 200\r\n", error: "bad-status-line" },
	{
		title: "an empty line before the status line",
		input: `\r\n${headOf("Content-Length: 0")}`,
		error: "bad-status-line",
	},
	{ title: "NUL in the reason", input: "HTTP/1.1 200 O\x00K\r\n", error: "bad-status-line" },
	{ title: "HTTP/1.0", input: "HTTP/1.0 200 OK\r\n", error: "unsupported-version" },
	{ title: "HTTP/2.0", input: "HTTP/2.0 200 OK\r\n", error: "unsupported-version" },
	{ title: "status 099", input: "HTTP/1.1 099 Low\r\n", error: "bad-status" },
	{ title: "status 600", input: "HTTP/1.1 600 High\r\n", error: "bad-status" },
	{ title: "status 101", input: "HTTP/1.1 101 Switching Protocols\r\n", error: "bad-status" },
	{
		title: "an endless reason",
		input: `${OK.slice(0, -2)}${"x".repeat(300)}`,
		error: "status-line-too-long",
	},
	{
		title: "one interim response too many",
		input: "HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM_RESPONSES + 1),
		error: "too-many-interim-responses",
	},
	{
		title: "an interim response with a body",
		input: "HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\n",
		error: "bad-content-length",
	},
	{
		title: "a status line that ends in LF alone",
		input: "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		error: "bad-line-end",
	},
	{ title: "CR without LF in the status line", input: "HTTP/1.1 200 O\rK\r\n", error: "bad-line-end" },
	{ title: "a header that ends in LF alone", input: `${OK}Content-Length: 0\n\n`, error: "bad-line-end" },
	{
		title: "CR without LF in a header",
		input: headOf("X: a\rb", "Content-Length: 0"),
		error: "bad-line-end",
	},
	{ title: "a line end in a header's name", input: headOf("Content-Length", ": 0"), error: "bad-line-end" },
	{
		title: "CR without LF at the end of the head",
		input: `${OK}Content-Length: 0\r\n\rx`,
		error: "bad-line-end",
	},
	{ title: "a continued line", input: headOf("X: a", " b", "Content-Length: 0"), error: "obs-fold" },
	{ title: "a tab before the first header", input: headOf("\tX: a", "Content-Length: 0"), error: "obs-fold" },
	{ title: "a blank before the colon", input: headOf("Content-Length : 0"), error: "bad-header" },
	{ title: "a tab before the colon", input: headOf("Content-Length\t: 0"), error: "bad-header" },
	{ title: "a header without a name", input: headOf(": 0"), error: "bad-header" },
	{ title: "NUL in a header's name", input: headOf("Con\x00tent-Length: 0"), error: "bad-header" },
	{ title: "NUL in a header's value", input: headOf("X: a\x00b", "Content-Length: 0"), error: "bad-header" },
	{ title: "DEL in a header's value", input: headOf("X: a\x7fb", "Content-Length: 0"), error: "bad-header" },
	{
		title: "bytes above ASCII in a header that is used",
		input: headOf("X-Mac: \xe9", "Content-Length: 0"),
		error: "bad-header",
	},
	{
		title: "a tab inside a header that is used",
		input: headOf("X-Mac: a\tb", "Content-Length: 0"),
		error: "bad-header",
	},
	{
		title: "a header line of 30 KB",
		input: headOf(`X: ${"a".repeat(30_000)}`),
		error: "header-line-too-long",
	},
	{
		title: "a header's name of 30 KB",
		input: headOf(`${"a".repeat(30_000)}: 1`),
		error: "header-line-too-long",
	},
	{
		title: "a value of blanks without end",
		input: headOf(`X-Mac:${" ".repeat(30_000)}`),
		error: "header-line-too-long",
	},
	{
		title: "a used value that is too long",
		input: headOf(`X-Mac: ${"a".repeat(MAX_RESPONSE_VALUES_BYTES + 1)}`),
		error: "header-value-too-long",
	},
	{
		title: "a Connection header that is too long",
		input: headOf(`Connection: ${"a,".repeat(300)}`),
		error: "header-value-too-long",
	},
	{
		title: "used values that are too long together",
		input: headOf(`Content-Type: ${"a".repeat(256)}`, `X-Mac: ${"a".repeat(256)}`, "Content-Length: 0"),
		error: "header-value-too-long",
	},
	{
		title: "one header too many",
		input: headOf(...repeatLine(MAX_HEADERS + 1, (index) => `X${index}: 1`)),
		error: "too-many-headers",
	},
	{
		title: "many long headers",
		input: headOf(...repeatLine(20, (index) => `X${index}: ${"a".repeat(1000)}`)),
		error: "head-too-long",
	},
	{
		title: "two equal Content-Lengths",
		input: headOf("Content-Length: 3", "Content-Length: 3"),
		error: "duplicate-header",
	},
	{
		title: "two different Content-Lengths",
		input: headOf("Content-Length: 3", "content-length: 4"),
		error: "duplicate-header",
	},
	{
		title: "a used header that comes twice",
		input: headOf("X-Mac: a", "x-mac: a"),
		error: "duplicate-header",
	},
	{
		title: "a chunked body",
		input: headOf("Transfer-Encoding: chunked"),
		error: "transfer-encoding-refused",
	},
	{
		title: "a chunked body beside a Content-Length",
		input: headOf("Content-Length: 5", "transfer-ENCODING: identity"),
		error: "transfer-encoding-refused",
	},
	{ title: "no Content-Length", input: headOf("Content-Type: text/plain"), error: "missing-content-length" },
	{ title: "an empty Content-Length", input: headOf("Content-Length: "), error: "bad-content-length" },
	{ title: "a negative Content-Length", input: headOf("Content-Length: -1"), error: "bad-content-length" },
	{ title: "a signed Content-Length", input: headOf("Content-Length: +1"), error: "bad-content-length" },
	{
		title: "a hexadecimal Content-Length",
		input: headOf("Content-Length: 0x10"),
		error: "bad-content-length",
	},
	{
		title: "a Content-Length with a fraction",
		input: headOf("Content-Length: 1.5"),
		error: "bad-content-length",
	},
	{
		title: "a Content-Length with an exponent",
		input: headOf("Content-Length: 1e3"),
		error: "bad-content-length",
	},
	{ title: "a list of Content-Lengths", input: headOf("Content-Length: 5, 5"), error: "bad-content-length" },
	{
		title: "a Content-Length of a word",
		input: headOf("Content-Length: banana"),
		error: "bad-content-length",
	},
	{
		title: "a Content-Length of 11 digits",
		input: headOf("Content-Length: 00000000001"),
		error: "bad-content-length",
	},
	{
		title: "a 204 with a length",
		input: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
		error: "bad-content-length",
	},
	{
		title: "a body above the maximum",
		input: headOf("Content-Length: 11"),
		error: "body-too-large",
		maxBodyBytes: 10,
	},
	{
		title: "a body where none may be",
		input: headOf("Content-Length: 1"),
		error: "body-too-large",
		maxBodyBytes: 0,
	},
	{
		title: "any body when the maximum is not a number",
		input: headOf("Content-Length: 1"),
		error: "body-too-large",
		maxBodyBytes: Number.NaN,
	},
	{ title: "bytes beyond the body", input: `${headOf("Content-Length: 2")}abc`, error: "over-delivery" },
	{ title: "bytes beyond an empty body", input: `${headOf("Content-Length: 0")}x`, error: "over-delivery" },
	{
		title: "a body behind a 304",
		input: "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nab",
		error: "over-delivery",
	},
	{ title: "a second response", input: headOf("Content-Length: 0").repeat(2), error: "over-delivery" },
];

describe("the response parser refuses", () => {
	for (const { title, input, error, maxBodyBytes = 65_536 } of refusals) {
		it(title, () => {
			for (const pieces of [[input.length], [1], [7]]) {
				const read = readResponse(input, { pieces, maxBodyBytes });
				expect(read.error).toBe(error);
				expect(read.isDone).toBe(false);
				expect(read.isKeepAlive).toBe(false);
			}
		});
	}

	it("for every reason it has a code for", () => {
		expect(RESPONSE_ERRORS.filter((code) => !refusals.some((refusal) => refusal.error === code))).toEqual([]);
	});
});
