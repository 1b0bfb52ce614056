// How a rollout ends before its time, and who goes back.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FleetDevice, RolloutRig } from "./rollout-rig.js";

const STRICT = { stop_rule: { max_failure_percent: 0, min_failure_count: 1 } };

let rig: RolloutRig;
beforeEach(async () => {
	rig = await RolloutRig.start();
});
afterEach(() => rig.close());

const pair = async () => (await rig.fleet(2)) as [FleetDevice, FleetDevice];

describe("a rollout that is stopped and rolled back", () => {
	it.each(["download", "silence"])(
		"orders a device back that got through after its %s was ended",
		async (how) => {
			const [late, crashing] = await pair();
			const { id: releaseId } = await rig.release("1.1.0");
			const id = await rig.rollout(releaseId, { ...STRICT, on_stop: "roll_back" });
			const target = (await late.device.manifest(rig.server)).json();
			const about = { target: { version: "1.1.0", hash: target.hash } };
			await late.device.report(rig.server, {
				...about,
				state: "DOWNLOADING",
				chunksReceived: 3,
				chunkCount: 3,
			});
			if (how === "silence") await rig.pass(25 * 60);
			await crashing.poll(rig.server, "crashes");
			await rig.pass();
			expect(await rig.state(id)).toMatchObject({ state: "stopped" });
			await late.finish(rig.server, about.target);
			expect(await rig.state(id)).toMatchObject({ counts: { succeeded: 1 } });
			await rig.pass();
			expect(await late.obey(rig.server)).toBe(true);
			expect(await rig.state(id)).toMatchObject({ counts: { succeeded: 0 } });
		},
	);
});
