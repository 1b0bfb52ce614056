// What every Timer does, and the Clock beside it, whatever they stand on.
import type { Clock, Timer } from "../../src/update/ports.js";
import { type Contract, expectEqual } from "./contract.js";

export interface TimeSubject {
	readonly timer: Timer;
	readonly clock: Clock;
	/** Lets time pass, by other means than the timer. */
	readonly sleep: (durationMs: number) => Promise<void>;
	/** Throws of callbacks that were caught. */
	readonly caughtCount: () => number;
}

export const timeContract: Contract<TimeSubject> = [
	{
		title: "calls back once, later, not from inside set(), also without a delay",
		steps: [
			async ({ timer, sleep }) => {
				const called: string[] = [];
				timer.set(() => void called.push("now"), 0);
				timer.set(() => void called.push("later"), 20);
				expectEqual(called, []);
				await sleep(100);
				expectEqual(called, ["now", "later"]);
				await sleep(100);
				expectEqual(called, ["now", "later"]);
			},
		],
	},
	{
		title: "calls back when the time has come, in the order of time",
		steps: [
			async ({ timer, clock, sleep }) => {
				const [startMs, called] = [clock.nowMs(), [] as number[]];
				for (const delayMs of [300, 100, 200])
					timer.set(() => {
						expectEqual(clock.nowMs() - startMs >= delayMs, true);
						called.push(delayMs);
					}, delayMs);
				await sleep(50);
				expectEqual(called, []);
				await sleep(400);
				expectEqual(called, [100, 200, 300]);
				expectEqual(clock.nowMs() - startMs >= 450, true);
			},
		],
	},
	{
		title: "does not call back what was cleared, and takes a second clear, and one of what has fired",
		steps: [
			async ({ timer, sleep }) => {
				const called: string[] = [];
				const fired = timer.set(() => void called.push("fired"), 10);
				const cleared = timer.set(() => void called.push("cleared"), 20);
				timer.clear(cleared);
				timer.clear(cleared);
				await sleep(100);
				timer.clear(fired);
				timer.set(() => void called.push("another"), 10);
				timer.clear(fired);
				await sleep(100);
				expectEqual(called, ["fired", "another"]);
			},
		],
	},
	{
		title: "sets and clears from inside a callback",
		steps: [
			async ({ timer, sleep }) => {
				const called: string[] = [];
				const doomed = timer.set(() => void called.push("doomed"), 20);
				timer.set(() => {
					timer.clear(doomed);
					timer.set(() => void called.push("inner"), 0);
					called.push("outer");
				}, 10);
				await sleep(100);
				expectEqual(called, ["outer", "inner"]);
			},
		],
	},
	{
		title: "catches what a callback throws, and goes on with the others",
		steps: [
			async ({ timer, sleep, caughtCount }) => {
				const called: string[] = [];
				timer.set(() => {
					throw new Error("a fault");
				}, 10);
				timer.set(() => void called.push("next"), 20);
				await sleep(100);
				expectEqual(called, ["next"]);
				expectEqual(caughtCount(), 1);
			},
		],
	},
];
