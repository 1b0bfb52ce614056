// The HTTP client when server, network and user keep to the rules, and each of the codes it can end with.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HttpClientError } from "../../src/adapters/http-client.js";
import { HTTP_CLIENT_ERRORS } from "../../src/adapters/http-client.js";
import type { Told } from "./http-client-rig.js";
import { HttpClientRig, response, TOTAL_TIMEOUT_MS } from "./http-client-rig.js";

const text = "The quick brown fox jumps over the lazy dog. ".repeat(20);
const body = Uint8Array.from(text, (character) => character.charCodeAt(0));

describe("an HTTP client, when all goes well,", () => {
	it("sends the request, tells head, body and end, and keeps the connection", () => {
		const rig = new HttpClientRig();
		const told = rig.askConnected({ headers: [{ name: "X-A", value: "b" }] });
		expect(rig.network.last.options).toMatchObject({ address: "192.0.2.1", port: 8080 });
		expect(rig.network.last.sent).toBe("GET /x HTTP/1.1\r\nHost: fota.example:8080\r\nX-A: b\r\n\r\n");
		rig.network.last.receive(response(text, "X-Mac: abc="));
		expect(told).toMatchObject({ status: 200, mac: "abc=", body: text });
		rig.expectDone(told, undefined);
		expect(rig.network.openCount).toBe(1);
	});

	it("reads the same response however it is cut into segments, and whatever its buffer's size", () => {
		const bytes = response(text, "X-Mac: abc=");
		fc.assert(
			fc.property(
				fc.integer({ min: 1, max: 1000 }),
				fc.integer({ min: 1, max: 2000 }),
				(segmentBytes, receiveBytes) => {
					const rig = new HttpClientRig(receiveBytes);
					const told = rig.askConnected();
					rig.network.last.receive(bytes, segmentBytes);
					expect(told).toMatchObject({ status: 200, mac: "abc=", body: text });
					rig.expectDone(told, undefined);
				},
			),
			{ numRuns: 100 },
		);
	});

	it("sends all further requests on the same connection, one started from the onDone of the other", () => {
		const rig = new HttpClientRig();
		let second: Told | undefined;
		const first = rig.askConnected({
			onDone: () => {
				second = rig.ask({ path: "/second" });
			},
		});
		rig.network.last.receive(response("one"));
		rig.timer.advance(0);
		rig.network.last.receive(response("two"));
		expect([first.body, second?.body]).toEqual(["one", "two"]);
		expect(rig.network.peers).toHaveLength(1);
		rig.expectAlive();
		expect(rig.network.peers).toHaveLength(1);
	});

	it("tells every status without calling it a failure", () => {
		for (const status of [204, 304, 404, 503]) {
			const rig = new HttpClientRig();
			const told = rig.askConnected();
			rig.network.last.receive(
				`HTTP/1.1 ${status} x\r\n${status < 400 ? "" : "Content-Length: 2\r\n"}\r\n${status < 400 ? "" : "no"}`,
			);
			expect(told.status).toBe(status);
			rig.expectDone(told, undefined);
		}
	});

	it("writes no more than the socket takes and goes on when it takes more", () => {
		const rig = new HttpClientRig();
		rig.network.sendBufferBytes = 10;
		const told = rig.askConnected({ method: "POST", body });
		const expected = `POST /x HTTP/1.1\r\nHost: fota.example:8080\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
		expect(rig.network.last.sent).toBe(expected.slice(0, 10));
		for (let at = 10; at < expected.length; at += 7) rig.network.last.acknowledge(7);
		expect(rig.network.last.sent).toBe(expected);
		rig.network.last.receive(response(""));
		rig.expectDone(told, undefined);
		expect(rig.network.openCount).toBe(1);
	});

	it("sends the stated part of a body, and a length of 0 for a POST without one", () => {
		const rig = new HttpClientRig();
		rig.askConnected({ method: "POST", body, bodyBytes: 9 });
		expect(rig.network.last.sent).toMatch(/Content-Length: 9\r\n\r\nThe quick$/);
		rig.network.last.receive(response(""));
		rig.askConnected({ method: "POST" });
		expect(rig.network.last.sent).toMatch(/Content-Length: 0\r\n\r\n$/);
	});

	it("gives up the connection when the server wishes it, and opens another", () => {
		const rig = new HttpClientRig();
		const told = rig.askConnected();
		rig.network.last.receive(response("bye", "Connection: close"));
		rig.expectDone(told, undefined);
		expect(rig.network.openCount).toBe(0);
		rig.expectAlive();
		expect(rig.network.peers).toHaveLength(2);
	});

	it("takes an answer that comes before the request is sent, and then gives up the connection", () => {
		const rig = new HttpClientRig();
		rig.network.sendBufferBytes = 50;
		const told = rig.askConnected({ method: "POST", body });
		rig.network.last.receive("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
		expect(told.status).toBe(413);
		rig.expectDone(told, undefined);
		expect(rig.network.openCount).toBe(0);
	});

	it("takes the response and its end in one go", () => {
		const rig = new HttpClientRig();
		const told = rig.askConnected();
		rig.network.last.receive(response("last"));
		rig.network.last.end();
		expect(told.body).toBe("last");
		rig.expectDone(told, undefined);
		rig.expectAlive();
	});
});

const failures: Record<HttpClientError, (rig: HttpClientRig) => Told> = {
	busy: (rig) => {
		rig.ask();
		return rig.ask();
	},
	closed: (rig) => {
		rig.client.close();
		return rig.ask();
	},
	cancelled: (rig) => {
		const told = rig.ask();
		rig.client.cancel();
		return told;
	},
	"connect-failed": (rig) => {
		rig.network.isDown = true;
		return rig.ask();
	},
	"connect-timeout": (rig) => rig.ask(),
	"idle-timeout": (rig) => rig.askConnected(),
	"total-timeout": (rig) => rig.askConnected({ totalTimeoutMs: 1 }),
	"connection-closed": (rig) => {
		const told = rig.askConnected();
		rig.network.last.end();
		return told;
	},
	"response-truncated": (rig) => {
		const told = rig.askConnected();
		rig.network.last.receive("HTTP/1.1 2");
		rig.network.last.end();
		return told;
	},
	"unexpected-data": (rig) => {
		const told = rig.ask();
		rig.timer.advance(0);
		rig.network.last.receive("HTTP/1.1 2");
		return told;
	},
	"consumer-failed": (rig) => {
		const told = rig.askConnected({
			onHead: () => {
				throw new Error("mine");
			},
		});
		rig.network.last.receive(response("abc"));
		return told;
	},
	"io-failed": (rig) => {
		rig.network.writeFails = true;
		return rig.askConnected();
	},
};

describe("an HTTP client", () => {
	for (const code of HTTP_CLIENT_ERRORS) {
		it(`can say ${code}`, () => {
			const rig = new HttpClientRig();
			const told = failures[code](rig);
			rig.timer.advance(TOTAL_TIMEOUT_MS);
			expect(told.failures.map((failure) => failure?.code)).toEqual([code]);
		});
	}
});
