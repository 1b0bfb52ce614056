// What a network can do to the HTTP client: one onDone, nothing left waiting, nothing thrown into native code.

import { describe, expect, it } from "vitest";
import { EHOSTUNREACH } from "./fake-sockets.js";
import { CONNECT_TIMEOUT_MS, HttpClientRig, IDLE_TIMEOUT_MS, response } from "./http-client-rig.js";

const text = "The quick brown fox jumps over the lazy dog. ".repeat(20);
const body = Uint8Array.from(text, (character) => character.charCodeAt(0));

describe("an HTTP client, when the network fails,", () => {
	it("says why no connection was made, and tries anew with the next request", () => {
		const rig = new HttpClientRig();
		rig.network.isDown = true;
		const told = rig.ask();
		rig.timer.advance(0);
		rig.expectDone(told, "connect-failed");
		expect(told.failures[0]?.cause).toEqual(new Error(`cannot connect, errno ${EHOSTUNREACH}`));
		rig.network.isDown = false;
		rig.expectAlive();
	});

	it("says so when the server refuses", () => {
		const rig = new HttpClientRig();
		const told = rig.ask();
		rig.timer.advance(0);
		rig.network.last.end();
		rig.expectDone(told, "connect-failed");
		rig.expectAlive();
	});

	it("gives up when no connection stands in time", () => {
		const rig = new HttpClientRig();
		const told = rig.ask();
		rig.timer.advance(CONNECT_TIMEOUT_MS - 1);
		expect(told.failures).toEqual([]);
		rig.timer.advance(1);
		rig.expectDone(told, "connect-timeout");
		rig.expectAlive();
	});

	it("gives up when the request cannot be sent", () => {
		const rig = new HttpClientRig();
		rig.network.sendBufferBytes = 20;
		const told = rig.askConnected();
		rig.timer.advance(2 * IDLE_TIMEOUT_MS);
		rig.expectDone(told, "idle-timeout");
	});

	it("ends the request when the socket throws at reading or writing", () => {
		for (const fault of ["readFails", "writeFails"] as const) {
			const rig = new HttpClientRig();
			rig.network[fault] = true;
			const told = rig.askConnected();
			rig.network.last.receive(response("abc"));
			rig.expectDone(told, "io-failed");
			expect(told.failures[0]?.cause).toBeInstanceOf(Error);
			rig.network[fault] = false;
			rig.expectAlive();
		}
	});

	it("ends the request when writing to a kept connection throws", () => {
		const rig = new HttpClientRig();
		rig.expectAlive();
		rig.network.writeFails = true;
		const told = rig.askConnected();
		rig.expectDone(told, "io-failed");
	});

	it("sends a request once more when the kept connection was closed meanwhile, body and all", () => {
		const rig = new HttpClientRig();
		rig.expectAlive();
		const told = rig.askConnected({ method: "POST", body, bodyBytes: 9 });
		rig.network.last.end();
		expect(rig.network.peers).toHaveLength(2);
		rig.network.last.accept();
		expect(rig.network.last.sent).toMatch(/^POST \/x HTTP[\s\S]*The quick$/);
		rig.network.last.receive(response("abc"));
		expect(told.body).toBe("abc");
		rig.expectDone(told, undefined);
	});

	it("sends it once more only once", () => {
		const rig = new HttpClientRig();
		rig.expectAlive();
		const told = rig.askConnected();
		rig.network.last.end();
		rig.network.last.accept();
		rig.network.last.end();
		rig.expectDone(told, "connection-closed");
		expect(rig.network.peers).toHaveLength(2);
	});

	it("does not send it once more after the first byte of an answer, even an interim one", () => {
		for (const bytes of ["H", "HTTP/1.1 100 Continue\r\n\r\n"]) {
			const rig = new HttpClientRig();
			rig.expectAlive();
			const told = rig.askConnected();
			rig.network.last.receive(bytes);
			rig.network.last.end();
			rig.expectDone(told, "response-truncated");
			expect(rig.network.peers).toHaveLength(1);
		}
	});

	it("does not send it once more if the request says so", () => {
		const rig = new HttpClientRig();
		rig.expectAlive();
		const told = rig.askConnected({ isRepeatable: false });
		rig.network.last.end();
		rig.expectDone(told, "connection-closed");
	});

	it("keeps the time of the whole when it sends once more", () => {
		const rig = new HttpClientRig();
		rig.expectAlive();
		const told = rig.askConnected({ totalTimeoutMs: 1000 });
		rig.timer.advance(600);
		rig.network.last.end();
		rig.timer.advance(400);
		rig.expectDone(told, "total-timeout");
	});

	it("opens another connection when the kept one was closed between requests", () => {
		const rig = new HttpClientRig();
		rig.expectAlive();
		rig.network.last.end();
		rig.expectAlive();
		expect(rig.network.openCount).toBe(1);
		expect(rig.network.peers).toHaveLength(2);
	});
});
