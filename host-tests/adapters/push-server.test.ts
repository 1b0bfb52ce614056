// The push server on fakes: who is let in, what is answered, which wait ends when, and that nothing is left behind.
import { afterEach, describe, expect, it } from "vitest";
import { BODY_IDLE_MS, HEAD_LIMIT_MS, LINGER_MS } from "../../src/adapters/push-connection.js";
import { CHALLENGE_LIFE_MS, CHALLENGES_MAX } from "../../src/adapters/push-credential.js";
import { CONNECTIONS_MAX, LISTEN_REST_MS } from "../../src/adapters/push-server.js";
import { FotaError } from "../../src/protocol/error-codes.js";
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
		rig.network.isDown = true;
		rig.server.start();
		rig.timer.advance(3 * LISTEN_REST_MS);
		expect(rig.log).toEqual(["warn push server not yet: no network"]);
		rig.network.isDown = false;
		rig.timer.advance(LISTEN_REST_MS);
		expect(rig.listeners).toHaveLength(1);
		expect(rig.challenge()).toMatch(/^[0-9a-f]{32}$/);
	});

	it("closes its listener and its connections when it is stopped, and can be started again", () => {
		const tcp = started().dial();
		rig.server.stop();
		expect(tcp.isClosed).toBe(true);
		expect(rig.listeners[0]?.isClosed).toBe(true);
		rig.server.start();
		expect(rig.challenge()).not.toBe("");
	});

	it("takes so many connections at a time and closes the others", () => {
		started();
		const held = Array.from({ length: CONNECTIONS_MAX }, () => rig.dial());
		expect(rig.dial().isClosed).toBe(true);
		expect(held.every((tcp) => !tcp.isClosed)).toBe(true);
		held[0]?.end();
		expect(rig.dial().isClosed).toBe(false);
		for (const tcp of rig.network.connections) tcp.end();
	});

	it("frees a socket that was reset before it was taken over", () => {
		started().isTakingBroken = true;
		expect(rig.dial().isClosed).toBe(true);
		rig.isTakingBroken = false;
		expect(rig.challenge()).not.toBe("");
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
		started().network.sendBufferBytes = 50;
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

describe("a push", () => {
	it("is offered to the updater, its body is let in when the slot is ready, its end is told", () => {
		const tcp = started().say(rig.head({ more: "Expect: 100-continue\r\n" }));
		expect(rig.target.offers).toMatchObject([{ release: "a.b.c", sizeBytes: 10 }]);
		expect(tcp.sent).toBe("");
		rig.target.listener?.onReady();
		expect(tcp.sent).toBe("HTTP/1.1 100 Continue\r\n\r\n");
		tcp.receive("0123456789", 3);
		expect(rig.target.received).toBe("0123456789");
		rig.target.listener?.onEnd(undefined);
		expect(tcp.sent).toMatch(/HTTP\/1.1 200 OK\r\n[\s\S]*"result":"activated","version":"1.1.0"/);
		rig.timer.advance(LINGER_MS);
		expect(tcp.isClosed).toBe(true);
		expect(rig.target.aborts).toEqual([]);
	});

	it("that sends its body without being asked keeps it in the network until the slot is ready", () => {
		const tcp = started().say(`${rig.head()}01234`);
		tcp.receive("567");
		expect(rig.target.received).toBe("");
		rig.target.listener?.onReady();
		expect(rig.target.received).toBe("01234567");
		tcp.receive("89");
		expect(rig.target.received).toBe("0123456789");
		rig.target.listener?.onEnd(undefined);
		expect(tcp.sent).toMatch(/^HTTP\/1.1 200 OK/);
		tcp.end();
	});

	it("that the updater refuses is told why", () => {
		started().target.refusal = new FotaError("device-busy", "another update is under way");
		const tcp = rig.say(rig.head());
		expect(tcp.sent).toMatch(
			/^HTTP\/1.1 409 [\s\S]*"code":"device-busy","detail":"another update is under way"/,
		);
		tcp.end();
	});

	it("whose sender goes before its slot is ready is aborted", () => {
		const tcp = started().say(rig.head());
		tcp.end();
		expect(rig.target.aborts).toEqual(["push-aborted: the connection is gone"]);
		rig.target.listener?.onEnd(new FotaError("push-aborted", "m"));
	});

	it("whose sender goes in the middle is aborted, once", () => {
		const tcp = started().say(rig.head());
		rig.target.listener?.onReady();
		tcp.receive("01234");
		tcp.end();
		rig.target.listener?.onEnd(new FotaError("push-aborted", "m"));
		expect(rig.target.aborts).toEqual(["push-aborted: the connection is gone"]);
	});

	it("whose sender goes behind the last byte is not aborted: it is complete", () => {
		const tcp = started().say(rig.head());
		rig.target.listener?.onReady();
		tcp.receive("0123456789");
		tcp.end();
		expect(rig.target.aborts).toEqual([]);
		rig.target.listener?.onEnd(undefined);
	});

	it("that stalls is aborted in time and told so", () => {
		const tcp = started().say(rig.head());
		rig.target.listener?.onReady();
		tcp.receive("01234");
		rig.timer.advance(BODY_IDLE_MS - 1);
		expect(rig.target.aborts).toEqual([]);
		rig.timer.advance(BODY_IDLE_MS / 2);
		expect(rig.target.aborts).toEqual(["push-aborted: nothing came for 12 s"]);
		rig.target.listener?.onEnd(new FotaError("push-aborted", "nothing came for 12 s"));
		expect(tcp.sent).toMatch(/^HTTP\/1.1 408 [\s\S]*push-aborted/);
		tcp.end();
	});

	it("that trickles is aborted when the whole takes too long", () => {
		const tcp = started().say(rig.head({ sizeBytes: 100 }));
		rig.target.listener?.onReady();
		for (let seconds = 0; seconds < 100 && rig.target.aborts.length === 0; seconds++) {
			tcp.receive("x");
			rig.timer.advance(1000);
		}
		expect(rig.target.aborts).toEqual(["push-aborted: the body took too long"]);
		tcp.end();
	});

	it("that brings more than it announced is taken as far as it was announced", () => {
		// Behind the first bytes of the body lies more than one read brings.
		const tcp = started().say(`${rig.head()}0123456789${"x".repeat(3000)}`);
		rig.target.listener?.onReady();
		expect(rig.target.received).toBe("0123456789");
		rig.target.listener?.onEnd(undefined);
		expect(tcp.sent).toMatch(/^HTTP\/1.1 200 OK/);
		expect(rig.target.aborts).toEqual([]);
		tcp.end();
	});

	it("that the updater ends in the middle is answered while its sender still sends", () => {
		started().target.takesBytes = 5;
		const tcp = rig.say(rig.head());
		rig.target.listener?.onReady();
		tcp.receive("01234");
		rig.target.listener?.onEnd(new FotaError("flash-failed", "erase at 0"));
		tcp.receive("56789");
		expect(tcp.sent).toMatch(/^HTTP\/1.1 500 [\s\S]*flash-failed/);
		expect(rig.target.received).toBe("01234");
		tcp.end();
	});
});

describe("a credential", () => {
	const wrong = () => rig.head({ challenge: "0".repeat(32) }).replace(/mac="../, 'mac="00');

	it("that is wrong is answered later each time, up to a limit, and a right one at once", () => {
		started();
		const waits: number[] = [];
		for (let attempt = 0; attempt < 7; attempt++) {
			const tcp = rig.say(wrong());
			const startMs = rig.timer.nowMs;
			while (tcp.sent === "" && rig.timer.nowMs < startMs + 60_000) rig.timer.advance(100);
			waits.push(rig.timer.nowMs - startMs);
			expect(tcp.sent).toMatch(
				/^HTTP\/1.1 401 [\s\S]*WWW-Authenticate: FOTA-PUSH-HMAC-SHA256\r\n[\s\S]*auth-failed/,
			);
			tcp.end();
		}
		expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000]);
		expect(rig.target.offers).toEqual([]);
		rig.say(rig.head()).end();
		expect(rig.target.offers).toHaveLength(1);
		const again = rig.say(wrong());
		rig.timer.advance(500);
		expect(again.sent).toContain("auth-failed");
		again.end();
	});

	it("that is wrong is told to the security log, now and then with a count", () => {
		started();
		for (let attempt = 0; attempt < 40; attempt++) {
			rig.say(wrong()).end();
			rig.timer.advance(1000);
		}
		rig.timer.advance(10_000);
		expect(rig.target.notes).toEqual([
			"auth-failed: push with a wrong credential",
			"auth-failed: push with a wrong credential (30 attempts)",
		]);
	});

	it("that is wrong holds no place while its answer waits", () => {
		started();
		const guessing = Array.from({ length: CONNECTIONS_MAX }, () => rig.say(wrong()));
		expect(rig.challenge()).not.toBe("");
		expect(guessing.filter((tcp) => tcp.isClosed)).toHaveLength(1);
		rig.timer.advance(60_000);
	});

	it("counts once", () => {
		const head = started().head();
		rig.say(head).end();
		expect(rig.target.offers).toHaveLength(1);
		const tcp = rig.say(head);
		expect(tcp.sent).toMatch(/^HTTP\/1.1 401 [\s\S]*challenge-stale/);
		expect(rig.target.offers).toHaveLength(1);
		expect(rig.target.notes).toEqual(["challenge-stale: push with a challenge that was used or is too old"]);
		tcp.end();
	});

	it("is too old after a minute", () => {
		const [early, late] = [started().head(), rig.head()];
		rig.timer.advance(CHALLENGE_LIFE_MS - 1);
		rig.say(early).end();
		expect(rig.target.offers).toHaveLength(1);
		rig.timer.advance(1);
		const tcp = rig.say(late);
		expect(tcp.sent).toContain("challenge-stale");
		tcp.end();
	});

	it("of which more are asked for than fit makes the oldest void, not the newest", () => {
		started();
		const heads = Array.from({ length: CHALLENGES_MAX + 1 }, () => rig.head());
		const oldest = rig.say(heads[0] ?? "");
		expect(oldest.sent).toContain("challenge-stale");
		oldest.end();
		rig.say(heads.at(-1) ?? "").end();
		expect(rig.target.offers).toHaveLength(1);
	});

	it("is not spent by somebody who has only seen it", () => {
		const head = started().head();
		rig.say(head.replace(/mac="../, 'mac="zz')).end();
		const wrongMac = head.replace(/mac="(..)/, (_all, byte: string) => `mac="${byte === "00" ? "01" : "00"}`);
		rig.say(wrongMac).end();
		rig.say(head).end();
		expect(rig.target.offers).toHaveLength(1);
		rig.timer.advance(60_000);
	});

	it.each([
		["another statement", (head: string) => head.replace("a.b.c", "a.b.d")],
		["another length", (head: string) => head.replace("Content-Length: 10", "Content-Length: 11")],
	])("does not fit %s", (_title, change) => {
		started();
		const tcp = rig.say(change(rig.head()));
		rig.timer.advance(1000);
		expect(tcp.sent).toContain("auth-failed");
		expect(rig.target.offers).toEqual([]);
		tcp.end();
	});
});
