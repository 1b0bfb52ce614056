// Looks at rollouts after a device of them failed, behind the answer to that device: it must not wait for others. Many
// failures at once are one look. Made by app.ts, called by the routes on which devices report and ask; the work itself is
// stores/advance-rollouts.ts.
import { judgeRollout, type RolloutTools } from "./stores/advance-rollouts.js";

export interface RolloutJudge {
	/** Returns at once. */
	judge(rolloutId: number): void;
	/** Nothing is under way any more. */
	idle(): Promise<void>;
}

export function createRolloutJudge(tools: RolloutTools): RolloutJudge {
	const running = new Map<number, Promise<void>>();
	const due = new Set<number>();
	const run = async (rolloutId: number): Promise<void> => {
		do {
			due.delete(rolloutId);
			await judgeSafely(tools, rolloutId);
		} while (due.has(rolloutId));
		running.delete(rolloutId);
	};
	return {
		judge(rolloutId) {
			if (running.has(rolloutId)) due.add(rolloutId);
			else running.set(rolloutId, run(rolloutId));
		},
		async idle() {
			while (running.size > 0) await Promise.all(running.values());
		},
	};
}

// The stop rule acts at once; if it cannot, the rollout task does in half a minute.
async function judgeSafely(tools: RolloutTools, rolloutId: number): Promise<void> {
	try {
		await judgeRollout(tools, rolloutId);
	} catch (error) {
		tools.log.error({ err: error, rollout: rolloutId }, "rollout not judged after a failure");
	}
}
