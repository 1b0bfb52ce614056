// The credential of a push on fakes: wrong ones, old ones, many of them.
import { afterEach, describe, expect, it } from "vitest";
import { CHALLENGE_LIFE_MS, CHALLENGES_MAX } from "../../src/adapters/push-credential.js";
import { CONNECTIONS_MAX } from "../../src/adapters/push-server.js";
import { PushRig } from "./push-rig.js";

let rig: PushRig;

function started(): PushRig {
	rig = new PushRig();
	rig.server.start();
	return rig;
}

afterEach(() => rig.expectQuiet());

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
