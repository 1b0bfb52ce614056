// Names asked of a native resolver that is looked at: when it is, what is told, and when that ends.
import { expect, test } from "vitest";
import { NAMES_POLL_MS, PolledNames } from "../../src/adapters/polled-names.js";
import { FakeTimer } from "./fake-timer.js";

/** As FotaNames: a handle is good until it was answered. */
class FakeNames {
	readonly answers = new Map<number, string | undefined>();
	isFull = false;
	lookCount = 0;

	ask(): number {
		if (this.isFull) return 0;
		this.answers.set(this.answers.size + 1, undefined);
		return this.answers.size;
	}

	answer(handle: number): string | undefined {
		this.lookCount += 1;
		return this.answers.get(handle);
	}
}

test("tells each answer once, in whatever order they come, and looks no longer than there are questions", () => {
	const [names, timer] = [new FakeNames(), new FakeTimer()];
	const polled = new PolledNames(names, timer);
	const told: (string | undefined)[][] = [];
	for (const name of ["a.example", "b.example"])
		polled.resolve(name, (asked, address) => void told.push([asked, address]));
	timer.advance(10 * NAMES_POLL_MS);
	expect(told).toEqual([]);
	names.answers.set(2, "192.0.2.2");
	timer.advance(NAMES_POLL_MS);
	names.answers.set(1, "");
	timer.advance(NAMES_POLL_MS);
	expect(told).toEqual([
		["b.example", "192.0.2.2"],
		["a.example", undefined],
	]);
	expect(timer.pendingCount).toBe(0);
});

test("looks for what a callback asks, too", () => {
	const [names, timer] = [new FakeNames(), new FakeTimer()];
	const polled = new PolledNames(names, timer);
	const told: (string | undefined)[] = [];
	polled.resolve("a.example", () => polled.resolve("b.example", (_name, address) => void told.push(address)));
	names.answers.set(1, "192.0.2.1");
	timer.advance(NAMES_POLL_MS);
	names.answers.set(2, "192.0.2.2");
	timer.advance(NAMES_POLL_MS);
	expect(told).toEqual(["192.0.2.2"]);
	expect(timer.pendingCount).toBe(0);
});

test("throws for a name that cannot be asked now, and calls nobody", () => {
	const [names, timer] = [new FakeNames(), new FakeTimer()];
	names.isFull = true;
	expect(() => new PolledNames(names, timer).resolve("a.example", () => expect.unreachable())).toThrow(
		"cannot ask now",
	);
	timer.advance(2 * NAMES_POLL_MS);
	expect([names.lookCount, timer.pendingCount]).toEqual([0, 0]);
});
