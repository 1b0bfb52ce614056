// The push server on fakes: who is let in, what is answered, which wait ends when, and that nothing is left behind.
import { afterEach, describe, expect, it } from "vitest";
import { HEAD_LIMIT_MS, LINGER_MS } from "../../src/adapters/push-connection.js";
import {
	BUSY_POLL_MS,
	CONNECTIONS_MAX,
	IDLE_POLL_MS,
	LISTEN_REST_MS,
} from "../../src/adapters/push-server.js";
import { PushRig } from "./push-rig.js";

let rig: PushRig;

function started(): PushRig {
	rig = new PushRig();
	rig.server.start();
	return rig;
}

afterEach(() => rig.expectQuiet());

describe("the push server", () => {
	it("listens again and again until there is a network, and says so once", () => {
		rig = new PushRig();
		rig.sockets.isDown = true;
		rig.server.start();
		rig.timer.advance(3 * LISTEN_REST_MS);
		expect(rig.log).toEqual(["warn push server not yet: no network"]);
		rig.sockets.isDown = false;
		rig.timer.advance(LISTEN_REST_MS);
		expect(rig.challenge()).toMatch(/^[0-9a-f]{32}$/);
	});

	it("closes its port and its connections when it is stopped, and can be started again", () => {
		const tcp = started().dial();
		rig.server.stop();
		expect(tcp.isClosed).toBe(true);
		expect(rig.sockets.isListening).toBe(false);
		rig.server.start();
		expect(rig.challenge()).not.toBe("");
	});

	it("keeps its port and whoever is there when the network comes up again", () => {
		const tcp = started().dial();
		rig.server.networkUp();
		expect(tcp.isClosed).toBe(false);
		expect(rig.log).toEqual(["info push server on port 3232"]);
	});

	it("looks seldom while nobody is there, and often while somebody is", () => {
		const { sockets, timer } = started();
		const looksIn = (ms: number) => {
			const before = sockets.acceptCount;
			timer.advance(ms);
			return sockets.acceptCount - before;
		};
		expect(looksIn(1000)).toBe(1000 / IDLE_POLL_MS);
		const peer = rig.dial();
		expect(looksIn(1000)).toBe(1000 / BUSY_POLL_MS);
		peer.end();
		expect(looksIn(1000)).toBe(1000 / IDLE_POLL_MS);
	});

	it("reads no more in one turn than a window holds", () => {
		started();
		const peer = rig.say(rig.head({ sizeBytes: 50_000 }));
		rig.target.listener?.onReady();
		peer.receive("x".repeat(50_000));
		expect(rig.sockets.readPeakBytes).toBe(16_384);
		// Looked at twice.
		expect(rig.target.received).toHaveLength(2 * 16_384);
		rig.timer.advance(3 * BUSY_POLL_MS);
		expect(rig.target.received).toHaveLength(50_000);
		rig.target.listener?.onEnd(undefined);
	});

	it("ends a connection on which something throws, and that one alone", () => {
		started();
		const [one, other] = [rig.dial(), rig.dial()];
		rig.sockets.fault = new Error("a fault");
		rig.turn();
		expect([one.isClosed, other.isClosed]).toEqual([true, false]);
	});

	it("takes so many connections at a time and closes the others", () => {
		started();
		const held = Array.from({ length: CONNECTIONS_MAX }, () => rig.dial());
		expect(rig.dial().isClosed).toBe(true);
		expect(held.every((tcp) => !tcp.isClosed)).toBe(true);
		held[0]?.end();
		expect(rig.dial().isClosed).toBe(false);
		for (const tcp of rig.sockets.peers) tcp.end();
	});

	it("frees the places of those who were gone before it looked", () => {
		started();
		for (let count = 0; count < 5; count++) rig.sockets.dial().hasEnded = true;
		rig.timer.advance(IDLE_POLL_MS + 3 * BUSY_POLL_MS);
		expect(rig.sockets.peers.every((peer) => peer.isClosed)).toBe(true);
		expect(rig.challenge()).not.toBe("");
	});

	it("turns nobody away for those who are gone, though all came between two looks", () => {
		started();
		for (let count = 0; count <= CONNECTIONS_MAX; count++) rig.sockets.dial().hasEnded = true;
		expect(rig.dial().isClosed).toBe(false);
	});

	it("closes a head that does not end in time, even one that trickles", () => {
		const tcp = started().dial();
		for (let ms = 0; ms < HEAD_LIMIT_MS; ms += 500) {
			expect(tcp.isClosed).toBe(false);
			tcp.receive("G");
			rig.timer.advance(500);
			if (tcp.sent !== "") break;
		}
		rig.timer.advance(HEAD_LIMIT_MS);
		expect(tcp.isClosed).toBe(true);
	});

	it("answers an answer's length, waits a moment for what still comes, and closes", () => {
		const tcp = started().say("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n");
		expect(tcp.sent).toMatch(/^HTTP\/1.1 404 Not Found\r\n[\s\S]*Connection: close\r\n/);
		tcp.receive("more that nobody reads");
		rig.timer.advance(LINGER_MS - 1);
		expect(tcp.isClosed).toBe(false);
		rig.timer.advance(1);
		expect(tcp.isClosed).toBe(true);
	});

	it("sends an answer in pieces where the socket takes little at a time", () => {
		started().sockets.sendBufferBytes = 50;
		const tcp = rig.say("GET /info HTTP/1.1\r\nHost: x\r\n\r\n");
		for (let turn = 0; turn < 20; turn++) tcp.acknowledge(50);
		expect(tcp.sent).toMatch(/\r\n\r\n\{"device_id":"board-1",[\s\S]*"challenge":"[0-9a-f]{32}"\}$/);
		tcp.end();
	});

	it("answers that it failed where it cannot read its own state", () => {
		started().target.isUnreadable = true;
		const tcp = rig.say("GET /info HTTP/1.1\r\nHost: x\r\n\r\n");
		expect(tcp.sent).toMatch(/^HTTP\/1.1 500 [\s\S]*device-failed/);
		tcp.end();
	});

	it("cannot meet another expectation than a 100", () => {
		const tcp = started().say("GET /info HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n");
		expect(tcp.sent).toMatch(/^HTTP\/1.1 417 /);
		tcp.end();
	});
});
