// What a server can do to the HTTP client: one onDone, nothing left waiting, nothing thrown into native code.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HttpClientRig, IDLE_TIMEOUT_MS, response, TOTAL_TIMEOUT_MS } from "./http-client-rig.js";

/** Each line of what restarts or hangs the SDK's client, and more of the kind. */
const broken: readonly { title: string; bytes: string; code: string }[] = [
	{ title: "a garbage status line", bytes: "\x16\x03\x01garbage\r\n\r\n", code: "bad-status-line" },
	{ title: "bytes beyond Content-Length", bytes: `${response("abc")}surplus`, code: "over-delivery" },
	{ title: "a second response unasked", bytes: response("abc").repeat(2), code: "over-delivery" },
	{
		title: "a chunked body with a trailer",
		bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
		code: "transfer-encoding-refused",
	},
	{
		title: "a bad chunk size",
		bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
		code: "transfer-encoding-refused",
	},
	{
		title: "a header of 30 KB",
		bytes: `HTTP/1.1 200 OK\r\nX-Big: ${"a".repeat(30_000)}\r\n\r\n`,
		code: "header-line-too-long",
	},
	{
		title: "a header of 30 KB that is asked for",
		bytes: `HTTP/1.1 200 OK\r\nX-Mac: ${"a".repeat(30_000)}\r\n\r\n`,
		code: "header-value-too-long",
	},
	{
		title: "a bad Content-Length",
		bytes: "HTTP/1.1 200 OK\r\nContent-Length: banana\r\n\r\n",
		code: "bad-content-length",
	},
	{
		title: "a huge Content-Length",
		bytes: "HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
		code: "body-too-large",
	},
	{ title: "lines that end in LF", bytes: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", code: "bad-line-end" },
	{
		title: "100 Continue without end",
		bytes: "HTTP/1.1 100 Continue\r\n\r\n".repeat(50),
		code: "too-many-interim-responses",
	},
	{
		title: "no Content-Length",
		bytes: "HTTP/1.1 200 OK\r\n\r\nuntil closed",
		code: "missing-content-length",
	},
];

describe("an HTTP client, when the server misbehaves,", () => {
	for (const { title, bytes, code } of broken) {
		it(`ends the request and lives on after ${title}`, () => {
			// What follows a body in a later segment belongs to no response any more: see below.
			const shortest = code === "over-delivery" ? bytes.length : 3;
			for (const segmentBytes of [bytes.length, 1000, shortest]) {
				const rig = new HttpClientRig();
				const told = rig.askConnected();
				rig.network.last.receive(bytes, segmentBytes);
				rig.expectDone(told, code);
				rig.expectAlive();
			}
		});
	}

	it("gives the connection up for the next request when bytes beyond the body come in a later segment", () => {
		const rig = new HttpClientRig();
		const told = rig.askConnected();
		rig.network.last.receive(response("abc"));
		rig.network.last.receive("surplus");
		expect(told.body).toBe("abc");
		rig.expectDone(told, undefined);
		rig.expectAlive();
		expect(rig.network.peers.map(({ isClosed }) => isClosed)).toEqual([true, false]);
	});

	it("skips 100 Continue", () => {
		const rig = new HttpClientRig();
		const told = rig.askConnected();
		rig.network.last.receive(`HTTP/1.1 100 Continue\r\n\r\n${response("abc")}`);
		expect(told).toMatchObject({ status: 200, body: "abc" });
		rig.expectDone(told, undefined);
	});

	it("gives up on a stall at any byte of the response, in time", () => {
		const bytes = response("abc");
		for (let at = 0; at < bytes.length; at += 1) {
			const rig = new HttpClientRig();
			const told = rig.askConnected();
			if (at > 0) rig.network.last.receive(bytes.slice(0, at));
			rig.timer.advance(IDLE_TIMEOUT_MS - 1);
			expect(told.failures).toEqual([]);
			rig.timer.advance(IDLE_TIMEOUT_MS / 4 + 1);
			rig.expectDone(told, "idle-timeout");
			rig.expectAlive();
		}
	});

	it("gives up on a server that trickles when the whole takes too long, and not before", () => {
		const rig = new HttpClientRig();
		const told = rig.askConnected();
		rig.network.last.receive(`HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n`);
		const stepMs = IDLE_TIMEOUT_MS - 1;
		for (let nowMs = stepMs; nowMs < TOTAL_TIMEOUT_MS; nowMs += stepMs) {
			rig.timer.advance(stepMs);
			expect(told.failures).toEqual([]);
			rig.network.last.receive("x");
		}
		rig.timer.advance(stepMs);
		rig.expectDone(told, "total-timeout");
		expect(rig.timer.nowMs).toBeLessThan(TOTAL_TIMEOUT_MS + stepMs);
		rig.expectAlive();
	});

	it("says truncated when the server closes at any byte of the response", () => {
		const bytes = response("abc");
		for (let at = 1; at < bytes.length; at += 1) {
			const rig = new HttpClientRig();
			const told = rig.askConnected();
			rig.network.last.receive(bytes.slice(0, at));
			rig.network.last.end();
			rig.expectDone(told, "response-truncated");
			expect(rig.network.peers).toHaveLength(1);
			rig.expectAlive();
		}
	});

	it("says closed when a new connection is closed before any answer, without another try", () => {
		const rig = new HttpClientRig();
		const told = rig.askConnected();
		rig.network.last.end();
		rig.expectDone(told, "connection-closed");
		expect(rig.network.peers).toHaveLength(1);
	});

	it("refuses bytes on a new connection before anything was sent", () => {
		const rig = new HttpClientRig();
		const told = rig.ask();
		rig.timer.advance(0);
		rig.network.last.receive("220 smtp.example ESMTP\r\n");
		rig.expectDone(told, "unexpected-data");
		rig.expectAlive();
	});

	it("refuses bytes that come while the socket takes none of the request", () => {
		const rig = new HttpClientRig();
		rig.network.sendBufferBytes = 0;
		const told = rig.askConnected();
		rig.network.last.receive("HTTP/1.1 200 OK\r\n");
		rig.expectDone(told, "unexpected-data");
	});

	it("gives up a connection on which bytes came unasked between requests, and which has ended behind them", () => {
		const rig = new HttpClientRig();
		rig.askConnected();
		rig.network.last.receive(response("abc"));
		rig.network.last.receive("HTTP/1.1 408 Request Timeout\r\n\r\n");
		rig.network.last.end();
		rig.expectAlive();
		expect(rig.network.peers.map(({ isClosed }) => isClosed)).toEqual([true, false]);
	});

	it("drops a connection on which bytes come unasked just as a request begins", () => {
		const rig = new HttpClientRig();
		rig.askConnected();
		rig.network.last.receive(response("abc"));
		const told = rig.ask();
		rig.network.last.receive("x");
		rig.timer.advance(0);
		rig.network.last.accept();
		rig.network.last.receive(response("two"));
		expect([told.body, rig.network.peers.length]).toEqual(["two", 2]);
		rig.expectDone(told, undefined);
	});

	it("survives garbage of every kind in every cut", () => {
		const start = fc.constantFrom(
			"",
			"HTTP/1.1 200 OK\r\n",
			response("abc").slice(0, -3),
			response("abc"),
			"HTTP/1.1 2",
		);
		fc.assert(
			fc.property(
				start,
				fc.string({ unit: "binary-ascii", maxLength: 300 }),
				fc.integer({ min: 1, max: 99 }),
				(prefix, tail, cut) => {
					const rig = new HttpClientRig();
					const told = rig.askConnected();
					rig.network.last.receive(`${prefix}${tail}`, cut);
					rig.timer.advance(2 * TOTAL_TIMEOUT_MS);
					rig.expectDone(told, told.failures[0]?.code);
					rig.expectAlive();
				},
			),
			{ numRuns: 500 },
		);
	});
});
