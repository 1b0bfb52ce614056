// Buckets and waves: the same everywhere, spread evenly, and never taken back.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketOf, waveOf } from "../../../server/domain/bucket.js";
import { checkPlan, stateAfter } from "../../../server/domain/rollout-plan.js";
import { planWith, wave } from "./rollout-plan.js";

const seed = fc.stringMatching(/^[0-9a-f]{32}$/);
const deviceId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/);
const shares = fc
	.uniqueArray(fc.integer({ min: 1, max: 9999 }), { maxLength: 8 })
	.map((list) => [...list.sort((a, b) => a - b), 10_000].map((hundredths) => hundredths / 100));
const target = fc.oneof(
	fc.constant({ kind: "all" as const }),
	fc.integer({ min: 1, max: 10_000 }).map((hundredths) => ({
		kind: "share" as const,
		share_percent: hundredths / 100,
	})),
);

describe("the bucket of a device", () => {
	it("is the first eight bytes of SHA-256 over seed and id, modulo 10,000", () => {
		const digest = createHash("sha256").update(Buffer.from("00ff", "hex")).update("dev-1").digest("hex");
		expect(bucketOf("00ff", "dev-1")).toBe(Number(BigInt(`0x${digest.slice(0, 16)}`) % 10_000n));
	});

	it("spreads devices evenly, in another order for each rollout", () => {
		const ids = Array.from({ length: 10_000 }, (_, index) => `device-${index}`);
		const first = (rolloutSeed: string) => ids.filter((id) => bucketOf(rolloutSeed, id) < 1000);
		expect(first("aa").length).toBeGreaterThan(900);
		expect(first("aa").length).toBeLessThan(1100);
		const both = first("aa").filter((id) => bucketOf("bb", id) < 1000);
		expect(both.length).toBeLessThan(200);
	});
});

describe("the waves of a rollout", () => {
	it("only ever grow: whoever is in one is in all that come later", () => {
		fc.assert(
			fc.property(seed, deviceId, shares, target, (rolloutSeed, id, percents, whom) => {
				const bucket = bucketOf(rolloutSeed, id);
				const isIn = percents.map(
					(_percent, last) =>
						waveOf(bucket, planWith({ waves: percents.slice(0, last + 1).map((one) => wave(one)) }), whom) !==
						undefined,
				);
				expect(isIn).toEqual([...isIn].sort());
				if (whom.kind === "all") expect(isIn.at(-1)).toBe(true);
			}),
		);
	});

	it("of a share of the fleet are shares of that share", () => {
		const ids = Array.from({ length: 20_000 }, (_, index) => `device-${index}`);
		const plan = planWith({ waves: [wave(10), wave(100)] });
		const waves = ids.map((id) => waveOf(bucketOf("aa", id), plan, { kind: "share", share_percent: 20 }));
		const count = (which: number | undefined) => waves.filter((one) => one === which).length;
		expect(count(0) / ids.length).toBeCloseTo(0.02, 2);
		expect(count(1) / ids.length).toBeCloseTo(0.18, 1);
		expect(count(undefined) / ids.length).toBeCloseTo(0.8, 1);
	});
});

describe("a plan", () => {
	it.each([
		[[wave(10), wave(10), wave(100)], /rise/],
		[[wave(50), wave(10), wave(100)], /rise/],
		[[wave(10), wave(99)], /100/],
	])("with waves %j is refused", (waves, message) => {
		expect(() => checkPlan(planWith({ waves }))).toThrow(message);
	});

	it("with a window without an end is refused", () => {
		const window = { from: "02:00", to: "02:00", days: ["mon" as const] };
		expect(() => checkPlan(planWith({ window }))).toThrow(/same time/);
	});

	it("goes from state to state in one way only", () => {
		const legal = ["draft start running", "running pause paused", "paused resume running"];
		for (const state of ["draft", "running", "paused"]) legal.push(`${state} abort aborted`);
		const found: string[] = [];
		for (const state of ["draft", "running", "paused", "completed", "aborted", "stopped"] as const)
			for (const action of ["start", "pause", "resume", "abort"] as const)
				try {
					found.push(`${state} ${action} ${stateAfter(state, action)}`);
				} catch (error) {
					expect(error).toMatchObject({ code: "rollout-conflict" });
				}
		expect(found.sort()).toEqual(legal.sort());
	});
});
