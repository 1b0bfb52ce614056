// A push through the server on fakes: its body, its end, its answer, and what its sender may do wrong.
import { afterEach, describe, expect, it } from "vitest";
import { BODY_IDLE_MS, LINGER_MS } from "../../src/adapters/push-connection.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { PushRig } from "./push-rig.js";

let rig: PushRig;

function started(): PushRig {
	rig = new PushRig();
	rig.server.start();
	return rig;
}

afterEach(() => rig.expectQuiet());

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
		rig.turn();
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

	it("whose sender goes before its slot is ready is aborted when it is", () => {
		const tcp = started().say(rig.head());
		tcp.end();
		expect(rig.target.aborts).toEqual([]);
		rig.target.listener?.onReady();
		rig.turn();
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

describe("a confirmation", () => {
	it("with the device's key is handed to the updater, and its result is told", () => {
		const noted = started().say(rig.confirmation());
		expect(noted.sent).toMatch(/^HTTP\/1.1 200 [\s\S]*{"result":"noted"}$/);
		noted.end();
		rig.target.isConfirmed = true;
		const confirmed = rig.say(rig.confirmation());
		expect(confirmed.sent).toMatch(/^HTTP\/1.1 200 [\s\S]*{"result":"confirmed"}$/);
		confirmed.end();
		expect(rig.target.confirmations).toEqual(["a.b.c", "a.b.c"]);
	});

	it("is not made by the credential of a push, nor sent twice, nor with a body", () => {
		const borrowed = started().say(rig.confirmation({ target: "/update" }));
		rig.timer.advance(1000);
		expect(borrowed.sent).toMatch(/^HTTP\/1.1 401 [\s\S]*auth-failed/);
		borrowed.end();
		const text = rig.confirmation();
		rig.say(text).end();
		const again = rig.say(text);
		expect(again.sent).toMatch(/^HTTP\/1.1 401 [\s\S]*challenge-stale/);
		again.end();
		const long = rig.say(rig.confirmation({ body: "x" }));
		expect(long.sent).toMatch(/^HTTP\/1.1 400 [\s\S]*has no body/);
		long.end();
		expect(rig.target.confirmations).toHaveLength(1);
	});

	it("of a release that does not run is refused", () => {
		started().target.refusal = new FotaError("release-unknown", "1.0.0 runs here");
		const tcp = rig.say(rig.confirmation());
		expect(tcp.sent).toMatch(/^HTTP\/1.1 422 [\s\S]*"code":"release-unknown","detail":"1.0.0 runs here"/);
		tcp.end();
	});

	it("is asked with POST", () => {
		const tcp = started().say("GET /confirm HTTP/1.1\r\nHost: x\r\n\r\n");
		expect(tcp.sent).toMatch(/^HTTP\/1.1 405 [\s\S]*Allow: POST/);
		tcp.end();
	});
});
