// What the request parser takes, what it refuses and why, and that no split changes either.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	MAX_HEADERS,
	MAX_METHOD_BYTES,
	MAX_REQUEST_VALUES_BYTES,
	MAX_TARGET_BYTES,
} from "../../src/http/limits.js";
import { REFUSALS, type Refusal } from "../../src/http/refusal.js";
import { STATEMENT_MAX_BYTES } from "../../src/protocol/limits.js";
import { readRequest } from "./read-request.js";
import { latin1, repeatLine } from "./read-response.js";

const GET = "GET /info HTTP/1.1\r\n";
const headOf = (...lines: string[]) => `${GET}Host: x\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;

describe("the request parser takes", () => {
	it("a request with its used headers, its body and nothing else", () => {
		const statement = "e".repeat(STATEMENT_MAX_BYTES);
		const head = `POST /update?x=1 HTTP/1.1\r\nHost: 10.0.0.2:3232\r\nauthorization: \tA b="c" \r\nFOTA-Release: ${statement}\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n`;
		expect(readRequest(`${head}hello`)).toEqual({
			error: undefined,
			isHeadComplete: true,
			isDone: true,
			method: "POST",
			target: "/update?x=1",
			contentLengthBytes: 5,
			expectsContinue: true,
			headers: ['A b="c"', statement],
			body: "hello",
		});
	});

	it("a request without a body as done with its head", () => {
		expect(readRequest(headOf())).toMatchObject({
			isDone: true,
			contentLengthBytes: undefined,
			expectsContinue: false,
		});
	});

	it("the longest method and target", () => {
		const target = `/${"t".repeat(MAX_TARGET_BYTES - 1)}`;
		const method = "M".repeat(MAX_METHOD_BYTES);
		const read = readRequest(`${method} ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
		expect(read).toMatchObject({ error: undefined, method, target });
	});

	it("a head whose body is still to come as not done", () => {
		const read = readRequest(headOf("Content-Length: 3"));
		expect(read).toMatchObject({ isHeadComplete: true, isDone: false, body: "" });
	});
});

const refusals: readonly { readonly title: string; readonly input: string; readonly error: Refusal }[] = [
	{ title: "TLS", input: "\x16\x03\x01\x02\x00\x01", error: "bad-request-line" },
	{ title: "an empty line first", input: `\r\n${headOf()}`, error: "bad-request-line" },
	{ title: "a method in lower case", input: "get / HTTP/1.1\r\n", error: "bad-request-line" },
	{ title: "no method", input: " / HTTP/1.1\r\n", error: "bad-request-line" },
	{ title: "a response", input: "HTTP/1.1 200 OK\r\n", error: "bad-request-line" },
	{ title: "a whole address as target", input: "GET http://x/ HTTP/1.1\r\n", error: "bad-request-line" },
	{ title: "the target *", input: "OPTIONS * HTTP/1.1\r\n", error: "bad-request-line" },
	{ title: "two blanks", input: "GET  / HTTP/1.1\r\n", error: "bad-request-line" },
	{ title: "a fragment", input: "GET /#a HTTP/1.1\r\n", error: "bad-request-line" },
	{ title: "NUL in the target", input: "GET /\x00 HTTP/1.1\r\n", error: "bad-request-line" },
	{ title: "bytes above ASCII in the target", input: "GET /\xe9 HTTP/1.1\r\n", error: "bad-request-line" },
	{ title: "no version", input: "GET /\r\n", error: "bad-request-line" },
	{ title: "something behind the version", input: "GET / HTTP/1.1 \r\n", error: "bad-request-line" },
	{ title: "http in lower case", input: "GET / http/1.1\r\n", error: "bad-request-line" },
	{ title: "HTTP/1.0", input: "GET / HTTP/1.0\r\n", error: "unsupported-version" },
	{ title: "HTTP/2.0", input: "PRI / HTTP/2.0\r\n", error: "unsupported-version" },
	{ title: "a long method", input: `${"A".repeat(30_000)} / HTTP/1.1\r\n`, error: "request-line-too-long" },
	{ title: "a long target", input: `GET /${"a".repeat(30_000)} HTTP/1.1`, error: "request-line-too-long" },
	{ title: "no Host", input: `${GET}X: y\r\n\r\n`, error: "missing-host" },
	{ title: "two Hosts", input: headOf("Host: y"), error: "duplicate-header" },
	{ title: "a first line that ends in LF", input: "GET / HTTP/1.1\nHost: x\n\n", error: "bad-line-end" },
	{ title: "CR without LF behind it", input: "GET / HTTP/1.1\rX", error: "bad-line-end" },
	{ title: "a header that ends in LF", input: `${GET}Host: x\n\n`, error: "bad-line-end" },
	{ title: "a continued line", input: headOf("X: a", " b"), error: "obs-fold" },
	{ title: "a blank before the colon", input: headOf("Content-Length : 0"), error: "bad-header" },
	{ title: "a header of 30 KB", input: headOf(`X: ${"a".repeat(30_000)}`), error: "header-line-too-long" },
	{
		title: "a statement that is too long",
		input: headOf(`FOTA-Release: ${"a".repeat(MAX_REQUEST_VALUES_BYTES + 1)}`),
		error: "header-value-too-long",
	},
	{
		title: "used values that are too long together",
		input: headOf(`FOTA-Release: ${"a".repeat(1024)}`, `Authorization: ${"a".repeat(1024)}`),
		error: "header-value-too-long",
	},
	{
		title: "one header too many",
		input: headOf(...repeatLine(MAX_HEADERS, (index) => `X${index}: 1`)),
		error: "too-many-headers",
	},
	{
		title: "many long headers",
		input: headOf(...repeatLine(20, (index) => `X${index}: ${"a".repeat(1000)}`)),
		error: "head-too-long",
	},
	{
		title: "two lengths",
		input: headOf("Content-Length: 3", "Content-Length: 3"),
		error: "duplicate-header",
	},
	{
		title: "a chunked body",
		input: headOf("Transfer-Encoding: chunked"),
		error: "transfer-encoding-refused",
	},
	{ title: "a length of a word", input: headOf("Content-Length: banana"), error: "bad-content-length" },
	{ title: "more than was announced", input: `${headOf("Content-Length: 2")}abc`, error: "over-delivery" },
	{ title: "a second request behind the first", input: headOf().repeat(2), error: "over-delivery" },
];

describe("the request parser refuses", () => {
	for (const { title, input, error } of refusals) {
		it(title, () => {
			for (const pieces of [[input.length], [1], [7]]) {
				const read = readRequest(input, pieces);
				expect(read).toMatchObject({ error, isDone: false, isHeadComplete: false });
			}
		});
	}

	it("for every reason it has a code for", () => {
		expect(REFUSALS.filter((code) => !refusals.some((refusal) => refusal.error === code))).toEqual([]);
	});
});

const pieces = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 20 });
const validRequest = fc
	.record({
		method: fc.string({ unit: fc.constantFrom(..."GETPOS"), minLength: 1, maxLength: MAX_METHOD_BYTES }),
		target: fc.string({ unit: fc.constantFrom(..."az09/?=&%."), maxLength: MAX_TARGET_BYTES - 1 }),
		release: fc.string({ unit: fc.constantFrom(..."aZ09._-"), maxLength: STATEMENT_MAX_BYTES }),
		ignored: fc.array(fc.string({ unit: fc.constantFrom(..."aZ0 ,;=\t/"), maxLength: 60 }), {
			maxLength: 10,
		}),
		body: fc
			.array(fc.integer({ min: 0, max: 255 }), { maxLength: 500 })
			.map((bytes) => String.fromCharCode(...bytes)),
	})
	.map((parts) => ({
		...parts,
		text: [
			`${parts.method} /${parts.target} HTTP/1.1\r\nHost: x\r\n`,
			...parts.ignored.map((value) => `Y-a: ${value}\r\n`),
			`Fota-Release: ${parts.release}\r\nContent-Length: ${parts.body.length}\r\n\r\n${parts.body}`,
		].join(""),
	}));

describe("whatever comes as a request, in whatever pieces", () => {
	it("reads a valid one the same in every split", () => {
		fc.assert(
			fc.property(validRequest, pieces, (request, split) => {
				expect(readRequest(request.text, split)).toMatchObject({
					error: undefined,
					isDone: true,
					method: request.method,
					target: `/${request.target}`,
					headers: [undefined, request.release],
					body: request.body,
				});
			}),
			{ numRuns: 500 },
		);
	});

	it("takes one with damaged bytes alike in every split, or refuses it alike, and never throws", () => {
		const damage = fc.record({
			at: fc.nat(),
			kind: fc.constantFrom("change", "remove", "insert", "cut"),
			byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 9, 10, 13, 32, 58)),
		});
		fc.assert(
			fc.property(
				validRequest,
				fc.array(damage, { minLength: 1, maxLength: 3 }),
				pieces,
				(request, damages, split) => {
					const bytes = [...latin1(request.text)];
					for (const { at, kind, byte } of damages) {
						const index = at % (bytes.length + 1);
						if (kind === "cut") bytes.length = index;
						else if (kind === "insert") bytes.splice(index, 0, byte);
						else bytes.splice(index, 1, ...(kind === "change" ? [byte] : []));
					}
					const damaged = Uint8Array.from(bytes);
					const read = readRequest(damaged, split);
					const whole = readRequest(damaged);
					// How much of a body came before it was too much is a matter of pieces.
					expect({ ...read, body: "" }).toEqual({ ...whole, body: "" });
					expect(read.isDone && read.error !== undefined).toBe(false);
					for (const value of read.headers) expect(value ?? "").toMatch(/^[ -~]{0,1024}$/);
				},
			),
			{ numRuns: 1000 },
		);
	});

	it("never throws on garbage", () => {
		fc.assert(
			fc.property(
				fc.constantFrom("", GET, `${GET}Host: x\r\n`, "POST /update HTTP/1.1\r\nFota-Release: "),
				fc.uint8Array({ maxLength: 4000 }),
				pieces,
				(prefix, tail, split) => {
					const bytes = new Uint8Array([...latin1(prefix), ...tail]);
					expect(readRequest(bytes, split).error).toEqual(readRequest(bytes).error);
				},
			),
			{ numRuns: 500 },
		);
	});
});
