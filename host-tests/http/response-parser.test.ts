// What the response parser takes.

import { describe, expect, it } from "vitest";
import {
	MAX_HEAD_BYTES,
	MAX_HEADER_LINE_BYTES,
	MAX_HEADERS,
	MAX_INTERIM_RESPONSES,
	MAX_RESPONSE_VALUES_BYTES,
	MAX_STATUS_LINE_BYTES,
} from "../../src/http/limits.js";
import { ResponseParser } from "../../src/http/response-parser.js";
import { headOf, latin1, OK, readResponse, repeatLine } from "./read-response.js";

describe("the response parser takes", () => {
	it("a response with its used headers, in any case and with blanks around the value", () => {
		const read = readResponse(
			`${headOf("CONTENT-type:\t text/plain \t", "x-MAC:abc=", "Content-Length: 5")}hello`,
		);
		expect(read).toEqual({
			error: undefined,
			isDone: true,
			isKeepAlive: true,
			status: 200,
			headCount: 1,
			headers: ["text/plain", "abc="],
			body: "hello",
		});
	});

	it("an empty value and an absent header as different things", () => {
		expect(readResponse(headOf("X-Mac:", "Content-Length: 0")).headers).toEqual([undefined, ""]);
	});

	it("an empty reason, and one with bytes above ASCII", () => {
		expect(readResponse("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").isDone).toBe(true);
		expect(readResponse("HTTP/1.1 404 Introuvable \xe9\r\nContent-Length: 0\r\n\r\n").status).toBe(404);
	});

	it("every status from 200 to 599", () => {
		for (let status = 200; status <= 599; status += 1) {
			expect(readResponse(`HTTP/1.1 ${status} x\r\nContent-Length: 0\r\n\r\n`)).toMatchObject({
				status,
				isDone: true,
			});
		}
	});

	it("a 204 and a 304 without a body, whatever length the 304 states", () => {
		expect(readResponse("HTTP/1.1 204 No Content\r\n\r\n")).toMatchObject({ isDone: true, status: 204 });
		expect(readResponse("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").isDone).toBe(true);
		const notModified = "HTTP/1.1 304 Not Modified\r\nContent-Length: 999999\r\n\r\n";
		expect(readResponse(notModified, { maxBodyBytes: 10 })).toMatchObject({ isDone: true, status: 304 });
	});

	it("interim responses up to the limit, and forgets their headers", () => {
		const interim = "HTTP/1.1 103 Early Hints\r\nX-Mac: early\r\n\r\n".repeat(MAX_INTERIM_RESPONSES);
		const read = readResponse(`${interim}${headOf("Content-Length: 2")}ok`);
		expect(read).toMatchObject({
			status: 200,
			headCount: 1,
			headers: [undefined, undefined],
			body: "ok",
			isDone: true,
		});
	});

	it("long headers that nobody asked for, with bytes above ASCII", () => {
		expect(readResponse(headOf(`X: ${"\xe9\t".repeat(1000)}`, "Content-Length: 0")).isDone).toBe(true);
	});

	it("names too long to be compared, without taking them for another", () => {
		const long = `x-mac${"x".repeat(100)}`;
		expect(
			readResponse(headOf(`${long}: 1`, `content-length${"x".repeat(30)}: 7`, "Content-Length: 0")),
		).toMatchObject({
			isDone: true,
			headers: [undefined, undefined],
		});
	});

	it("each length at its limit", () => {
		const line = `X: ${"a".repeat(MAX_HEADER_LINE_BYTES - 5)}`;
		const reason = "r".repeat(MAX_STATUS_LINE_BYTES - 15);
		const used = `X-Mac: ${"a".repeat(MAX_RESPONSE_VALUES_BYTES - 1)}`;
		expect(readResponse(headOf(line, used, "Content-Length: 0")).isDone).toBe(true);
		expect(readResponse(`HTTP/1.1 200 ${reason}\r\nContent-Length: 0\r\n\r\n`).isDone).toBe(true);
		const full = ["Content-Length: 0", ...repeatLine(MAX_HEADERS - 1, (index) => `X${index}: 1`)];
		expect(readResponse(headOf(...full)).isDone).toBe(true);
		const room = MAX_HEAD_BYTES - 19 - 3 * MAX_HEADER_LINE_BYTES - 2;
		const head8k = headOf("Content-Length: 0", line, line, line, `X: ${"a".repeat(room - 5)}`);
		expect(head8k.length).toBe(OK.length + MAX_HEAD_BYTES);
		expect(readResponse(head8k).isDone).toBe(true);
		expect(readResponse(`${headOf("Content-Length: 10")}0123456789`, { maxBodyBytes: 10 }).isDone).toBe(true);
	});

	it("the server's wish to close, however it is written", () => {
		const isKeepAlive = (...lines: string[]) =>
			readResponse(headOf(...lines, "Content-Length: 0")).isKeepAlive;
		expect(isKeepAlive("Connection: close")).toBe(false);
		expect(isKeepAlive("connection: CLOSE")).toBe(false);
		expect(isKeepAlive("Connection: x-thing , close")).toBe(false);
		expect(isKeepAlive("Connection: x-thing", "Connection: close")).toBe(false);
		expect(isKeepAlive("Connection: keep-alive", "Keep-Alive: timeout=5")).toBe(true);
		expect(isKeepAlive("Connection: closed, ,enclose")).toBe(true);
	});

	it("the next response after begin, with nothing left of the one before, failed or not", () => {
		const parser = new ResponseParser({ headerNames: ["x-mac"], onHead: () => {}, onBody: () => {} });
		const feed = (text: string) => parser.feed(latin1(text), 0, text.length);
		parser.begin(10);
		expect(feed(headOf("X-Mac: one", "Connection: close", "Content-Length: 0"))).toBeUndefined();
		expect([parser.header("x-mac"), parser.isKeepAlive]).toEqual(["one", false]);
		parser.begin(10);
		expect([parser.header("x-mac"), parser.status, parser.isDone]).toEqual([undefined, 0, false]);
		expect(feed("garbage")).toBe("bad-status-line");
		expect(feed(headOf("Content-Length: 0"))).toBe("bad-status-line");
		parser.begin(10);
		expect(feed(headOf("Content-Length: 0"))).toBeUndefined();
		expect([parser.isDone, parser.isKeepAlive]).toEqual([true, true]);
	});

	it("the body as parts of the very buffer that was fed", () => {
		const bytes = latin1(`${headOf("Content-Length: 5")}hello`);
		const views: unknown[] = [];
		const parser = new ResponseParser({
			headerNames: [],
			onHead: () => {},
			onBody: (buffer, offset, byteCount) => views.push([buffer === bytes, offset, byteCount]),
		});
		parser.begin(5);
		parser.feed(bytes, 0, bytes.length);
		expect(views).toEqual([[true, bytes.length - 5, 5]]);
	});

	it("no header before the head is complete", () => {
		const parser = new ResponseParser({ headerNames: ["x-mac"], onHead: () => {}, onBody: () => {} });
		parser.begin(5);
		const bytes = latin1(`${OK}X-Mac: abc\r\nContent-Length: 1\r\n`);
		parser.feed(bytes, 0, bytes.length);
		expect([parser.header("x-mac"), parser.status]).toEqual([undefined, 0]);
	});
});
