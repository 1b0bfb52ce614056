// Who is offered what when there are rollouts, as tables and as properties.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	chooseOffer,
	type ReleaseOnOffer,
	type RolloutForDevice,
	type RolloutQuestion,
} from "../../../server/domain/rollout-offer.js";
import { MEMBER_STATUSES, ROLLOUT_STATES } from "../../../server/domain/rollout-plan.js";
import { DAYS, isWindowOpen } from "../../../server/domain/schedule-window.js";
import { planWith } from "./rollout-plan.js";

const release = (id: number, version: string, more: Partial<ReleaseOnOffer> = {}): ReleaseOnOffer => ({
	id,
	version,
	build_number: 1,
	security_version: 0,
	min_current_version: null,
	released_at: 1,
	created_at_ms: id,
	...more,
});
const rollout = (more: Partial<RolloutForDevice> = {}): RolloutForDevice => ({
	id: 1,
	releaseId: 2,
	state: "running",
	priority: 0,
	plan: planWith(),
	openWave: 0,
	wave: 0,
	member: undefined,
	...more,
});
const question: RolloutQuestion = {
	currentVersion: "1.0.0",
	currentSecurityVersion: 0,
	timeZone: "UTC",
	firstRolloutAtMs: 2,
	nowMs: Date.parse("2026-01-14T12:00:00Z"),
};
const old = release(1, "1.1.0");
const fresh = release(2, "1.2.0");

/** "kind version", and for a rollout its id and the attempt. */
function offered(
	rollouts: readonly RolloutForDevice[],
	more: Partial<RolloutQuestion> = {},
	releases: readonly ReleaseOnOffer[] = [old, fresh],
): string {
	const offer = chooseOffer(releases, rollouts, { ...question, ...more });
	if (offer.kind === "nothing") return "nothing";
	if (offer.kind === "free") return `free ${offer.release.version}`;
	return `${offer.rollout.id} ${offer.release.version} try ${offer.attempt}`;
}
const member = (status: (typeof MEMBER_STATUSES)[number], more = {}) => ({
	status,
	attempts: 1,
	nextTryAtMs: undefined,
	...more,
});

describe("without a rollout", () => {
	it("the newest release is for everyone", () => {
		expect(offered([], { firstRolloutAtMs: undefined })).toBe("free 1.2.0");
	});
});

describe("a running rollout", () => {
	it.each([
		["its wave is open", {}, "1 1.2.0 try 1"],
		["its wave is not open", { wave: 1 }, "nothing"],
		["it is not of the target", { wave: undefined }, "free 1.1.0"],
		["it is under way", { member: member("downloading") }, "1 1.2.0 try 1"],
		["it waits for its next try", { member: member("retrying", { nextTryAtMs: Infinity }) }, "nothing"],
		["its next try has come", { member: member("retrying", { nextTryAtMs: 0 }) }, "1 1.2.0 try 2"],
		["it has failed for good", { member: member("failed") }, "free 1.1.0"],
		["it was rolled back", { member: member("rolled_back") }, "free 1.1.0"],
	])("offers a device what it is to have where %s", (_name, more, expected) => {
		expect(offered([rollout(more)])).toBe(expected);
	});

	it("never offers what the statement forbids", () => {
		const needs = release(2, "1.2.0", { min_current_version: "1.1.0" });
		expect(offered([rollout()], {}, [old, needs])).toBe("free 1.1.0");
		expect(offered([rollout()], { currentVersion: "1.1.0" }, [old, needs])).toBe("1 1.2.0 try 1");
		expect(offered([rollout()], { currentSecurityVersion: 1 })).toBe("nothing");
		expect(offered([rollout()], { currentVersion: "1.2.0" })).toBe("nothing");
	});

	it("goes before another by its priority, and of two alike the newer one", () => {
		const newer = release(3, "1.3.0");
		const all = [old, fresh, newer];
		const second = rollout({ id: 2, releaseId: 3 });
		expect(offered([rollout(), second], {}, all)).toBe("2 1.3.0 try 1");
		expect(offered([rollout({ priority: 1 }), second], {}, all)).toBe("1 1.2.0 try 1");
		// Not its turn in the first: the other one may have it.
		expect(offered([rollout({ priority: 1, wave: 1 }), second], {}, all)).toBe("2 1.3.0 try 1");
	});
});

describe("a release with a rollout", () => {
	it.each([
		["paused", "free 1.1.0"],
		["stopped", "free 1.1.0"],
		["aborted", "free 1.1.0"],
		["completed", "free 1.2.0"],
	] as const)("whose rollout is %s leaves: %s", (state, expected) => {
		expect(offered([rollout({ state })])).toBe(expected);
	});

	it.each(["draft", "aborted"] as const)("that was never started (%s) is as one without", (state) => {
		expect(offered([rollout({ state, openWave: -1 })])).toBe("free 1.2.0");
	});

	it.each([
		["stopped", "free 1.1.0"],
		["aborted", "free 1.1.0"],
		["running", "free 1.2.0"],
	] as const)("that is completed, and behind it %s for others, leaves: %s", (state, expected) => {
		const later = rollout({ id: 2, state, wave: undefined });
		expect(offered([rollout({ state: "completed" }), later])).toBe(expected);
		expect(offered([{ ...later, id: 1 }, rollout({ id: 2, state: "completed" })])).toBe("free 1.2.0");
	});

	it("that is completed has who comes late in its books, with each try", () => {
		const attempt = (known: RolloutForDevice["member"]) => {
			const late = chooseOffer(
				[old, fresh],
				[rollout({ state: "completed", wave: 3, member: known })],
				question,
			);
			return late.kind === "free" ? [late.late?.rollout.id, late.late?.wave, late.late?.attempt] : late.kind;
		};
		expect(attempt(undefined)).toEqual([1, 3, 1]);
		expect(attempt(member("downloading", { attempts: 2 }))).toEqual([1, 3, 2]);
		expect(attempt(member("retrying", { attempts: 2 }))).toEqual([1, 3, 3]);
	});

	it("that is completed is for its target, without those that failed", () => {
		expect(offered([rollout({ state: "completed", wave: undefined })])).toBe("free 1.1.0");
		expect(offered([rollout({ state: "completed", member: member("rolled_back") })])).toBe("free 1.1.0");
		expect(offered([rollout({ state: "completed", wave: 5 })])).toBe("free 1.2.0");
	});
});

describe("a release that was uploaded after the first rollout", () => {
	it("waits for a rollout of its own", () => {
		const later = release(3, "1.3.0");
		const completed = rollout({ state: "completed" });
		expect(offered([completed], {}, [old, fresh, later])).toBe("free 1.2.0");
	});
});

describe("whatever rollouts there are", () => {
	const anyRollout = fc.record({
		id: fc.integer({ min: 1, max: 5 }),
		releaseId: fc.integer({ min: 1, max: 3 }),
		state: fc.constantFrom(...ROLLOUT_STATES),
		priority: fc.integer({ min: -1, max: 1 }),
		plan: fc
			.option(fc.record({ from: fc.constantFrom("00:00", "11:00"), to: fc.constantFrom("13:00", "23:00") }), {
				nil: null,
			})
			.map((window) => planWith({ window: window && { ...window, days: DAYS } })),
		openWave: fc.integer({ min: -1, max: 2 }),
		wave: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
		member: fc.option(
			fc.record({
				status: fc.constantFrom(...MEMBER_STATUSES),
				attempts: fc.integer({ min: 1, max: 3 }),
				nextTryAtMs: fc.option(fc.integer({ min: 0, max: 4e12 }), { nil: undefined }),
			}),
			{ nil: undefined },
		),
	});
	const anyQuestion = fc.record({
		currentVersion: fc.constantFrom("1.0.0", "1.1.0", "1.2.0", undefined),
		currentSecurityVersion: fc.constantFrom(0, 1, undefined),
		timeZone: fc.constantFrom("UTC", "Europe/Berlin", "Asia/Tokyo"),
		firstRolloutAtMs: fc.constantFrom(undefined, 0, 2),
		nowMs: fc.integer({ min: 1.7e12, max: 2e12 }),
	});
	const all = [old, fresh, release(3, "1.3.0", { min_current_version: "1.1.0", security_version: 1 })];

	it("an offer keeps to wave, window, next try and statement", () => {
		fc.assert(
			fc.property(fc.array(anyRollout, { maxLength: 5 }), anyQuestion, (rollouts, asked) => {
				const offer = chooseOffer(all, rollouts, asked);
				if (offer.kind === "nothing") return;
				expect(offer.release.security_version).toBeGreaterThanOrEqual(asked.currentSecurityVersion ?? 0);
				if (offer.release.id === 3) expect(["1.1.0", "1.2.0", undefined]).toContain(asked.currentVersion);
				const started = rollouts.filter(({ openWave }) => openWave >= 0);
				const own = started.filter(({ releaseId }) => releaseId === offer.release.id);
				if (offer.kind === "free") {
					const isOpen = own.length === 0 || own.some(({ state }) => state === "completed");
					expect(isOpen).toBe(true);
					return;
				}
				const { state, wave, openWave, plan, member: known } = offer.rollout;
				expect(state).toBe("running");
				expect(wave).toBeLessThanOrEqual(openWave);
				if (plan.window) expect(isWindowOpen(plan.window, asked.timeZone, asked.nowMs)).toBe(true);
				expect(["succeeded", "failed", "rolled_back", "aborted"]).not.toContain(known?.status);
				if (known?.status === "retrying") expect(known.nextTryAtMs ?? 0).toBeLessThanOrEqual(asked.nowMs);
			}),
			{ numRuns: 2000 },
		);
	});
});
