// What a rollout is: whom it is for, its waves and rules, its states. As it travels and as it is stored; the fields have
// the names of the wire. Pure; called by the routes (checkPlan) and by everything that decides about rollouts.
import { FotaError } from "../../src/protocol/error-codes.js";
import type { ScheduleWindow } from "./schedule-window.js";

export type RolloutTarget =
	| { readonly kind: "all" }
	| { readonly kind: "group"; readonly group: string }
	| { readonly kind: "tag"; readonly tag: string }
	/** Named one by one, beside the plan. */
	| { readonly kind: "devices" }
	| { readonly kind: "share"; readonly share_percent: number };

export interface Wave {
	/** Of the target, those of the waves before included; hundredths of a per cent count. */
	readonly share_percent: number;
	/**
	 * What must have come true before the next wave opens; of the last one, before the rollout is complete. A wave with
	 * nobody within reach hands its conditions on to the next one.
	 */
	readonly min_wait_minutes: number;
	/** Of the devices of this wave that are through. */
	readonly min_success_percent: number;
	/** Devices of this wave that are through; where it has fewer within reach, all of them. Above 0: one that succeeded, too. */
	readonly min_finished_count: number;
}

export interface StopRule {
	/** More failures than this, of the devices that are through, stop the rollout … */
	readonly max_failure_percent: number;
	/** … from this many failures on. */
	readonly min_failure_count: number;
}

export interface RolloutPlan {
	readonly waves: readonly Wave[];
	/** Null: failures never stop it. */
	readonly stop_rule: StopRule | null;
	/** roll_back: devices that run the release already are ordered back as well. */
	readonly on_stop: "pause" | "roll_back";
	/** Null: at any time. */
	readonly window: ScheduleWindow | null;
	/** 0: no limit. */
	readonly max_concurrent_downloads: number;
	readonly retry: { readonly max_attempts: number; readonly delay_minutes: number };
}

export const ROLLOUT_STATES = ["draft", "running", "paused", "completed", "aborted", "stopped"] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];

export const ROLLOUT_ACTIONS = ["start", "pause", "resume", "abort", "roll-back"] as const;
export type RolloutAction = (typeof ROLLOUT_ACTIONS)[number];

/** In which devices are offered the release, now or once it goes on. */
export const OFFERING_STATES: readonly RolloutState[] = ["running", "paused", "completed"];

/** Where a device that was offered the release stands. */
export const MEMBER_STATUSES = [
	"offered",
	"downloading",
	"installing",
	"retrying",
	"succeeded",
	"failed",
	"rolled_back",
	"aborted",
] as const;
export type MemberStatus = (typeof MEMBER_STATUSES)[number];

const NEXT_STATE: Readonly<Record<RolloutAction, Partial<Record<RolloutState, RolloutState>>>> = {
	start: { draft: "running" },
	pause: { running: "paused" },
	resume: { paused: "running" },
	abort: { draft: "aborted", running: "aborted", paused: "aborted" },
	"roll-back": { running: "stopped", paused: "stopped", aborted: "stopped", completed: "stopped" },
};

/** Throws `rollout-conflict` where the state does not allow it. */
export function stateAfter(state: RolloutState, action: RolloutAction): RolloutState {
	const next = NEXT_STATE[action][state];
	if (next === undefined)
		throw new FotaError("rollout-conflict", `a rollout that is ${state} cannot ${action}`);
	return next;
}

/** What the schema of the route cannot say. Throws `request-malformed`. */
export function checkPlan(plan: RolloutPlan): void {
	let before = 0;
	for (const { share_percent } of plan.waves) {
		const share = hundredthsOf(share_percent);
		if (share <= before) throw new FotaError("request-malformed", "the shares of the waves do not rise");
		before = share;
	}
	if (before !== 10_000) throw new FotaError("request-malformed", "the last wave is not 100 percent");
	const { window } = plan;
	if (window !== null && window.from === window.to)
		throw new FotaError("request-malformed", "a window from and to the same time: leave it out for any time");
}

/** Per cent in hundredths, whole: the scale of the buckets. */
export function hundredthsOf(percent: number): number {
	return Math.round(percent * 100);
}
