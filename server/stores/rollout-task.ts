// What comes round every half minute: updates of devices that fell silent are ended, rollouts go on. One server of those
// on a database does it at a time. Made by app.ts.
import { isOpen } from "../domain/update-history.js";
import { turn } from "../turn.js";
import { advanceRollout, type RolloutTools } from "./advance-rollouts.js";
import { findDevice } from "./device-store.js";
import { lockDevice } from "./locks.js";
import { endSilentUpdate } from "./record-update.js";
import { listBusyRollouts } from "./rollout-store.js";
import { settleRollout } from "./settle-rollouts.js";
import { takeTaskTurn } from "./task-turns.js";
import { findLatestUpdate, findSilentUpdates } from "./update-store.js";

export const ROLLOUT_TASK_MS = 30_000;
const SILENT_BATCH = 500;

export interface RolloutTaskTools extends RolloutTools {
	/** After which a device that was in the middle of an update counts as failed. */
	readonly silentAfterMs: number;
}

/** Never throws: what fails is logged and tried again at the next turn. */
export async function runRolloutTask(tools: RolloutTaskTools): Promise<void> {
	try {
		const task = { name: "rollouts", everyMs: ROLLOUT_TASK_MS, nowMs: tools.nowMs() };
		if (!(await takeTaskTurn(tools.db, task))) return;
		await endSilentUpdates(tools);
		for (const { id } of await listBusyRollouts(tools.db)) {
			await carryForward(tools, id);
			await turn();
		}
	} catch (error) {
		tools.log.error({ err: error }, "rollout task failed");
	}
}

/** One rollout that cannot go on does not hold up the others. Never throws. */
export async function carryForward(tools: RolloutTools, rolloutId: number): Promise<void> {
	try {
		await advanceRollout(tools, rolloutId);
		await settleRollout(tools, rolloutId);
	} catch (error) {
		tools.log.error({ err: error, rollout: rolloutId }, "rollout not carried forward");
	}
}

async function endSilentUpdates({ db, nowMs, silentAfterMs }: RolloutTaskTools): Promise<void> {
	const beforeMs = nowMs() - silentAfterMs;
	const silent = await findSilentUpdates(db, { beforeMs, limit: SILENT_BATCH });
	for (const { device_id: deviceId } of silent) {
		await db.transaction().execute(async (transaction) => {
			await lockDevice(transaction, deviceId);
			const device = await findDevice(transaction, deviceId);
			const latest = await findLatestUpdate(transaction, deviceId);
			// It may have spoken since.
			if ((device?.last_seen_at_ms ?? 0) >= beforeMs) return;
			if (latest === undefined || !isOpen(latest.status) || latest.changed_at_ms >= beforeMs) return;
			await endSilentUpdate(transaction, latest, nowMs());
		});
		await turn();
	}
}
