// A plan for tests, with everything that holds an update back switched off unless it is asked for.
import type { RolloutPlan, Wave } from "../../../server/domain/rollout-plan.js";

export function wave(share_percent: number, more: Partial<Wave> = {}): Wave {
	return { share_percent, min_wait_minutes: 0, min_success_percent: 0, min_finished_count: 0, ...more };
}

export function planWith(more: Partial<RolloutPlan> = {}): RolloutPlan {
	return {
		waves: [wave(100)],
		stop_rule: null,
		on_stop: "pause",
		window: null,
		max_concurrent_downloads: 0,
		retry: { max_attempts: 1, delay_minutes: 0 },
		...more,
	};
}
