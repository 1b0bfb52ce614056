// What its user can do to the HTTP client, in every state and order: one onDone, nothing left behind.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HttpRequest } from "../../src/adapters/http-client.js";
import type { Told } from "./http-client-rig.js";
import { HttpClientRig, IDLE_TIMEOUT_MS, response, TOTAL_TIMEOUT_MS } from "./http-client-rig.js";

const text = "The quick brown fox jumps over the lazy dog. ".repeat(20);
const body = Uint8Array.from(text, (character) => character.charCodeAt(0));

/** A request brought into each state it can be in. */
const states: readonly {
	title: string;
	enter: (rig: HttpClientRig, change?: Partial<HttpRequest>) => Told;
}[] = [
	{ title: "before the first step", enter: (rig, change) => rig.ask(change) },
	{
		title: "while connecting",
		enter: (rig, change) => {
			const told = rig.ask(change);
			rig.timer.advance(0);
			return told;
		},
	},
	{
		title: "with half of the request sent",
		enter: (rig, change) => {
			rig.network.sendBufferBytes = 20;
			return rig.askConnected(change);
		},
	},
	{ title: "while waiting for the answer", enter: (rig, change) => rig.askConnected(change) },
	{
		title: "within the head",
		enter: (rig, change) => {
			const told = rig.askConnected(change);
			rig.network.last.receive(response("abc").slice(0, 30));
			return told;
		},
	},
	{
		title: "within the body",
		enter: (rig, change) => {
			const told = rig.askConnected(change);
			rig.network.last.receive(response("abc").slice(0, -1));
			return told;
		},
	},
	{
		title: "on a kept connection",
		enter: (rig, change) => {
			rig.expectAlive();
			return rig.askConnected(change);
		},
	},
];

describe("an HTTP client whose user says how much it wants", () => {
	it("takes no byte of the body beyond that until it has been used, also of what came with the head", () => {
		const rig = new HttpClientRig(64);
		const taken: number[] = [];
		let left = 10;
		const told = rig.askConnected({
			wantedBytes: () => left,
			onBody: (_buffer, _offset, byteCount) => {
				taken.push(byteCount);
				left -= byteCount;
				if (left === 0) left = 10;
				return true;
			},
		});
		rig.network.last.receive(response(text));
		rig.expectDone(told, undefined);
		expect(told.body).toBe(text);
		let sum = 0;
		for (const byteCount of taken) {
			expect((sum % 10) + byteCount).toBeLessThanOrEqual(10);
			sum += byteCount;
		}
	});

	it.each([0, -5, 0.3])("takes at least one byte where it says %s", (wanted) => {
		const rig = new HttpClientRig(64);
		const told = rig.askConnected({ wantedBytes: () => wanted });
		rig.network.last.receive(response("abcdef"), 3);
		rig.expectDone(told, undefined);
		expect(told.body).toBe("abcdef");
	});
});

describe("an HTTP client, in its user's hands,", () => {
	for (const { title, enter } of states) {
		it(`can be cancelled ${title}`, () => {
			const rig = new HttpClientRig();
			const told = enter(rig);
			rig.client.cancel();
			rig.client.cancel();
			expect(told.failures).toEqual([]);
			expect(rig.network.openCount).toBe(0);
			rig.timer.advance(0);
			rig.expectDone(told, "cancelled");
			rig.network.sendBufferBytes = 2048;
			rig.expectAlive();
		});

		it(`can be closed ${title}, for good`, () => {
			const rig = new HttpClientRig();
			const told = enter(rig);
			rig.client.close();
			rig.client.close();
			rig.client.cancel();
			expect(rig.network.openCount).toBe(0);
			rig.timer.advance(0);
			rig.expectDone(told, "closed");
			const after = rig.ask();
			rig.timer.advance(0);
			rig.expectDone(after, "closed");
		});

		it(`refuses a second request ${title} and goes on with the first`, () => {
			const rig = new HttpClientRig();
			const first = enter(rig);
			const second = rig.ask();
			rig.timer.advance(0);
			expect(second.failures).toEqual([{ code: "busy" }]);
			expect(first.failures).toEqual([]);
			rig.client.cancel();
			rig.timer.advance(0);
			rig.expectDone(first, "cancelled");
		});
	}

	it("can be closed and cancelled with nothing under way, with and without a connection", () => {
		const rig = new HttpClientRig();
		rig.client.cancel();
		rig.expectAlive();
		rig.client.cancel();
		expect(rig.network.openCount).toBe(1);
		rig.client.close();
		rig.client.close();
		expect([rig.network.openCount, rig.timer.pendingCount]).toEqual([0, 0]);
	});

	it("ends with what was thrown when onHead or onBody throws", () => {
		for (const callback of ["onHead", "onBody"]) {
			const rig = new HttpClientRig();
			const cause = new Error("mine");
			const told = rig.askConnected({
				[callback]: () => {
					throw cause;
				},
			});
			rig.network.last.receive(response(text), 100);
			rig.expectDone(told, "consumer-failed");
			expect(told.failures[0]?.cause).toBe(cause);
			expect(told.body.length).toBeLessThanOrEqual(100);
			rig.expectAlive();
		}
	});

	it("ends as cancelled when onHead or onBody returns false, and delivers no more", () => {
		for (const callback of ["onHead", "onBody"]) {
			const rig = new HttpClientRig();
			const told = rig.askConnected({ [callback]: () => false });
			rig.network.last.receive(response(text));
			rig.expectDone(told, "cancelled");
			expect(told.body.length).toBeLessThan(64);
			rig.expectAlive();
		}
	});

	it("may be cancelled or closed from within onHead and onBody", () => {
		for (const callback of ["onHead", "onBody"]) {
			for (const [call, code] of [
				["cancel", "cancelled"],
				["close", "closed"],
			] as const) {
				const rig = new HttpClientRig();
				const told = rig.askConnected({
					[callback]: () => {
						rig.client[call]();
						return true;
					},
				});
				rig.network.last.receive(response(text));
				expect(told.failures).toEqual([]);
				rig.timer.advance(0);
				rig.expectDone(told, code);
				expect(told.body.length).toBeLessThan(64);
			}
		}
	});

	it("tells what onDone throws, and lives on", () => {
		const rig = new HttpClientRig();
		const cause = new Error("mine");
		const told = rig.askConnected({
			onDone: () => {
				throw cause;
			},
		});
		rig.network.last.receive(response("abc"));
		rig.expectDone(told, undefined);
		expect(rig.uncaught).toEqual([cause]);
		rig.expectAlive();
	});

	it("may be cancelled, closed and asked again from within onDone", () => {
		const rig = new HttpClientRig();
		let next: Told | undefined;
		const told = rig.askConnected({
			onDone: () => {
				rig.client.cancel();
				next = rig.ask();
				rig.client.close();
			},
		});
		rig.network.last.receive(response("abc"));
		rig.timer.advance(0);
		rig.expectDone(told, undefined);
		expect(next?.failures).toEqual([{ code: "closed" }]);
	});

	it("refuses what cannot be sent, without opening a connection", () => {
		const cases: readonly [Partial<HttpRequest>, string][] = [
			[{ path: "/a b" }, "bad-path"],
			[{ headers: [{ name: "X", value: "a\r\nY: b" }] }, "bad-request-header"],
			[{ headers: [{ name: "Host", value: "a" }] }, "reserved-header"],
			[{ method: "POST", body, bodyBytes: body.length + 1 }, "bad-body-length"],
			[{ method: "POST", bodyBytes: 1 }, "bad-body-length"],
			[{ path: `/${"a".repeat(1100)}` }, "request-too-long"],
		];
		for (const [change, code] of cases) {
			const rig = new HttpClientRig();
			const told = rig.ask(change);
			rig.timer.advance(0);
			rig.expectDone(told, code);
			expect(rig.network.peers).toEqual([]);
			rig.expectAlive();
		}
	});

	it("ends the request when the timer throws", () => {
		const rig = new HttpClientRig();
		const told = rig.ask({ totalTimeoutMs: Number.NaN });
		rig.timer.advance(0);
		rig.expectDone(told, "io-failed");
		rig.expectAlive();
	});

	it("survives any order of events, and tells each request exactly once", () => {
		const event = fc.constantFrom(
			"ask",
			"accept",
			"answer",
			"half",
			"garbage",
			"end",
			"cancel",
			"wait",
			"wait long",
			"ack",
			"down",
			"up",
		);
		fc.assert(
			fc.property(fc.array(event, { maxLength: 40 }), (events) => {
				const rig = new HttpClientRig();
				const asked: Told[] = [];
				const perform: Record<string, () => void> = {
					ask: () => asked.push(rig.ask({ method: "POST", body })),
					accept: () => rig.network.peers.at(-1)?.accept(),
					answer: () => rig.network.peers.at(-1)?.receive(response("abc"), 20),
					half: () => rig.network.peers.at(-1)?.receive(response("abc").slice(0, 40)),
					garbage: () => rig.network.peers.at(-1)?.receive("garbage\r\n\r\n"),
					end: () => rig.network.peers.at(-1)?.end(),
					cancel: () => rig.client.cancel(),
					wait: () => rig.timer.advance(1),
					"wait long": () => rig.timer.advance(IDLE_TIMEOUT_MS),
					ack: () => rig.network.peers.at(-1)?.acknowledge(100),
					down: () => {
						rig.network.isDown = true;
					},
					up: () => {
						rig.network.isDown = false;
					},
				};
				for (const name of events) perform[name]?.();
				rig.timer.advance(2 * TOTAL_TIMEOUT_MS);
				for (const told of asked) expect(told.failures).toHaveLength(1);
				expect([rig.timer.pendingCount, rig.timer.escaped]).toEqual([0, []]);
				rig.client.close();
				expect(rig.network.openCount).toBe(0);
			}),
			{ numRuns: 1000 },
		);
	});
});
