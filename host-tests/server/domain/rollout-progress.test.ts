// What becomes of a rollout by its counts, as a table and as properties.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RolloutPlan } from "../../../server/domain/rollout-plan.js";
import { decideRollout, type RolloutProgress } from "../../../server/domain/rollout-progress.js";
import { planWith, wave as wave_ } from "./rollout-plan.js";

const MINUTE_MS = 60_000;
const gate = { min_wait_minutes: 10, min_success_percent: 80, min_finished_count: 5 };
const plan = planWith({
	waves: [wave_(10, gate), wave_(100, gate)],
	stop_rule: { max_failure_percent: 20, min_failure_count: 3 },
});
type Counts = readonly [size: number, succeeded: number, failed: number, overdue?: number];

function decided(
	waves: readonly Counts[],
	more: { wave?: number; minutes?: number; forgiven?: RolloutProgress["forgiven"]; plan?: RolloutPlan } = {},
): string {
	const progress: RolloutProgress = {
		wave: more.wave ?? 0,
		waveOpenedAtMs: 0,
		waves: waves.map(([size, succeeded, failed, overdue = 0]) => ({ size, succeeded, failed, overdue })),
		forgiven: more.forgiven ?? { finished: 0, failed: 0 },
	};
	const decision = decideRollout(more.plan ?? plan, progress, (more.minutes ?? 10) * MINUTE_MS);
	return decision.kind === "stop" ? decision.reason : decision.kind;
}

describe("a rollout", () => {
	it.each([
		["all is well", [[10, 5, 0]], 10, "open-wave"],
		["it is too early", [[10, 5, 0]], 9, "nothing"],
		["too few are through", [[10, 4, 0]], 10, "nothing"],
		["as few are through as there are", [[4, 4, 0]], 10, "open-wave"],
		["nobody is within reach", [[0, 0, 0]], 10, "open-wave"],
		["too many failed for the next wave so far", [[10, 3, 2]], 10, "nothing"],
		["too many are not heard of since they began to install", [[100, 7, 0, 2]], 10, "nothing"],
		["few are not heard of since they began to install", [[100, 8, 0, 2]], 10, "open-wave"],
	] as const)("goes on or waits where %s", (_name, [first], minutes, expected) => {
		expect(decided([first, [90, 0, 0]], { minutes })).toBe(expected);
	});

	it("looks at the devices of the open wave for the next one", () => {
		expect(
			decided(
				[
					[100, 100, 0],
					[900, 4, 0],
				],
				{ wave: 1 },
			),
		).toBe("nothing");
	});

	it("is complete when everyone within reach is through", () => {
		expect(
			decided(
				[
					[10, 10, 0],
					[90, 89, 0],
				],
				{ wave: 1 },
			),
		).toBe("nothing");
		expect(
			decided(
				[
					[10, 10, 0],
					[90, 88, 2],
				],
				{ wave: 1 },
			),
		).toBe("complete");
	});

	it.each([
		[
			"in the only wave that is open",
			0,
			[
				[0, 0, 0],
				[0, 0, 0],
			],
		],
		[
			"in any wave",
			1,
			[
				[0, 0, 0],
				[0, 0, 0],
			],
		],
	] as const)("waits for ever rather than go on with nobody within reach %s", (_name, wave, waves) => {
		expect(decided(waves, { wave, minutes: 1e6 })).toBe("nothing");
		expect(
			decided(waves, { wave, minutes: 1e6, plan: planWith({ waves: [wave_(10), wave_(100)] }) }),
		).not.toBe("complete");
	});

	it("has the next wave meet the conditions of one that nobody is in", () => {
		const open = planWith({ waves: [wave_(10, gate), wave_(50), wave_(100)] });
		const second = (...counts: Counts) => decided([[0, 0, 0], counts, [50, 0, 0]], { wave: 1, plan: open });
		expect(second(40, 4, 0)).toBe("nothing");
		expect(second(40, 5, 0)).toBe("open-wave");
		expect(second(40, 4, 2)).toBe("nothing");
	});

	it("does not go on without one that succeeded, where its wave asks for any", () => {
		const lenient = planWith({ waves: [wave_(10, { min_finished_count: 1 }), wave_(100)] });
		const first = (...counts: Counts) => decided([counts, [90, 0, 0]], { plan: lenient });
		expect(first(10, 0, 3)).toBe("nothing");
		expect(first(10, 0, 10)).toBe("none of 10 devices succeeded");
		expect(first(10, 1, 3)).toBe("open-wave");
	});

	it("stops where everyone of its wave is through and too few succeeded, and goes on when that is forgiven", () => {
		const waves: Counts[] = [
			[10, 8, 2],
			[90, 0, 0],
		];
		const strict = planWith({ waves: [wave_(10, { ...gate, min_success_percent: 95 }), wave_(100)] });
		expect(decided(waves, { plan: strict, minutes: 0 })).toBe(
			"8 of 10 devices of the wave succeeded, less than 95 %",
		);
		expect(
			decided(
				[
					[11, 8, 2],
					[90, 0, 0],
				],
				{ plan: strict },
			),
		).toBe("nothing");
		const forgiven = { finished: 10, failed: 2 };
		expect(decided(waves, { plan: strict, forgiven })).toBe("open-wave");
		expect(
			decided(
				[
					[12, 8, 4],
					[90, 0, 0],
				],
				{ plan: strict, forgiven },
			),
		).toMatch(/^8 of 12/);
		// Nobody succeeded, and the operator goes on all the same.
		const none: Counts[] = [
			[3, 0, 3],
			[90, 0, 0],
		];
		expect(decided(none, { plan: strict })).toMatch(/^0 of 3/);
		expect(decided(none, { plan: strict, forgiven: { finished: 3, failed: 3 } })).toBe("open-wave");
	});

	it("stops above its failure rate, from a number of failures on", () => {
		expect(
			decided(
				[
					[10, 0, 2],
					[0, 0, 0],
				],
				{ minutes: 0 },
			),
		).toBe("nothing");
		expect(
			decided(
				[
					[10, 0, 3],
					[0, 0, 0],
				],
				{ minutes: 0 },
			),
		).toBe("3 of 3 devices failed, more than 20 %");
		expect(
			decided(
				[
					[100, 12, 3],
					[0, 0, 0],
				],
				{ minutes: 0 },
			),
		).toBe("nothing");
		expect(
			decided(
				[
					[100, 11, 3],
					[0, 0, 0],
				],
				{ minutes: 0 },
			),
		).toMatch(/3 of 14/);
		expect(
			decided(
				[
					[10, 0, 9],
					[0, 0, 0],
				],
				{ minutes: 0, plan: planWith() },
			),
		).toBe("nothing");
	});

	it("counts from where it was resumed", () => {
		const forgiven = { finished: 5, failed: 5 };
		expect(
			decided(
				[
					[100, 0, 7],
					[0, 0, 0],
				],
				{ forgiven },
			),
		).toBe("nothing");
		expect(
			decided(
				[
					[100, 0, 8],
					[0, 0, 0],
				],
				{ forgiven },
			),
		).toMatch(/3 of 3/);
	});

	it("stops where nobody is left to succeed, though the open wave is not that of who failed", () => {
		const asking = planWith({ waves: [wave_(10), wave_(100, { min_finished_count: 1 })] });
		const late: Counts[] = [
			[1, 0, 1],
			[0, 0, 0],
		];
		expect(decided(late, { wave: 1, plan: asking })).toBe("none of 1 devices succeeded");
		const forgiven = { finished: 1, failed: 1 };
		expect(decided(late, { wave: 1, plan: asking, forgiven })).toBe("complete");
	});

	it("never rests when everyone of the open waves is through", () => {
		const rule = fc.record({
			min_finished_count: fc.nat(3),
			min_success_percent: fc.nat(100),
			min_wait_minutes: fc.nat(10),
		});
		// Often nobody succeeded.
		const open = fc
			.tuple(fc.constantFrom(0, 0, 0, 2), fc.nat(2))
			.map(([ok, bad]): Counts => [ok + bad, ok, bad]);
		const closed = fc.nat(5).map((size): Counts => [size, 0, 0]);
		const three = [rule, rule, rule] as const;
		fc.assert(
			fc.property(
				fc.nat(2),
				fc.tuple(...three),
				fc.tuple(open, open, open),
				closed,
				fc.boolean(),
				(...given) => {
					const [wave, rules, through, rest, isForgiven] = given;
					const waves = through.map((counts, index) => (index <= wave ? counts : rest));
					const sum = (at: 0 | 2) => waves.slice(0, wave + 1).reduce((all, counts) => all + counts[at], 0);
					fc.pre(sum(0) > 0);
					const forgiven = isForgiven ? { finished: sum(0), failed: sum(2) } : { finished: 0, failed: 0 };
					const [first, second, third] = rules;
					const waves_ = [wave_(10, first), wave_(50, second), wave_(100, third)];
					expect(decided(waves, { wave, forgiven, plan: planWith({ waves: waves_ }) })).not.toBe("nothing");
				},
			),
			{ numRuns: 1000 },
		);
	});

	it("never opens a wave or completes at more failures than its stop rule allows", () => {
		const count = fc.integer({ min: 0, max: 200 });
		const counts = fc.tuple(count, count).map(([ok, bad]): Counts => [ok + bad, ok, bad]);
		fc.assert(
			fc.property(counts, counts, fc.constantFrom(0, 1), fc.nat(20), (first, second, open, minutes) => {
				const failed = first[2] + second[2];
				const finished = first[0] + second[0];
				const isBad = failed >= 3 && failed / finished > 0.2;
				const result = decided([first, second], { wave: open, minutes });
				expect(/failed/.test(result)).toBe(isBad);
				if (finished === 0) expect(result).not.toBe("complete");
			}),
		);
	});
});
