// What a rollout asks of its waves before it goes on, over devices that really ask and report.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RolloutRig } from "./rollout-rig.js";

const DAY = 24 * 60;
const wave = (share_percent: number, more = {}) => ({
	share_percent,
	min_wait_minutes: 10,
	min_success_percent: 95,
	min_finished_count: 5,
	...more,
});

let rig: RolloutRig;
beforeEach(async () => {
	rig = await RolloutRig.start();
});
afterEach(() => rig.close());

describe("a rollout with conditions on its waves", () => {
	it("stays where it is while nobody is within reach, and says so before it starts", async () => {
		const [device] = await rig.fleet(1);
		const { id: releaseId } = await rig.release("1.1.0");
		rig.clock.nowMs += 8 * DAY * 60_000;
		const id = await rig.rollout(releaseId, { waves: [wave(0.01), wave(0.02), wave(100)] });
		for (let turn = 0; turn < 4; turn++) await rig.pass(11);
		expect(await rig.state(id)).toMatchObject({ state: "running", wave: 0 });
		const { warnings } = (await rig.get(`/api/rollouts/${id}/preview`)).json();
		expect(warnings).toEqual([
			"no device is in wave 0 (0.01 %): the next one must meet its conditions as well",
			"no device is in wave 1 (0.02 %): the next one must meet its conditions as well",
		]);
		// One comes back: it stands in for the waves without devices.
		expect(await device?.poll(rig.server)).toBe(204);
		for (let turn = 0; turn < 2; turn++) await rig.pass(11);
		expect(await device?.poll(rig.server)).toBe(200);
		await rig.pass(11);
		expect(await rig.state(id)).toMatchObject({ state: "completed" });
	});

	it("is paused where everyone is through and too few succeeded, and is complete once that is forgiven", async () => {
		const devices = await rig.fleet(10);
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, {
			waves: [wave(100)],
			stop_rule: { max_failure_percent: 10, min_failure_count: 3 },
		});
		for (const [index, device] of devices.entries())
			await device.poll(rig.server, index < 2 ? "crashes" : "works");
		await rig.pass(11);
		expect(await rig.state(id)).toMatchObject({
			state: "paused",
			state_reason: "8 of 10 devices of the wave succeeded, less than 95 %",
		});
		await rig.act(id, "resume");
		await rig.pass();
		expect(await rig.state(id)).toMatchObject({ state: "completed" });
	});

	it("waits for devices on trial, which run the release already, and stops when they are not heard of again", async () => {
		const devices = await rig.fleet(30);
		const { id: releaseId, hash } = await rig.release("1.1.0");
		const gate = { min_success_percent: 90, min_finished_count: 50 };
		const plan = { waves: [wave(30, gate), wave(100, gate)], stop_rule: null, on_stop: "roll_back" };
		const id = await rig.rollout(releaseId, plan);
		const preview = (await rig.get(`/api/rollouts/${id}/preview`)).json();
		const first = devices.filter(({ id: deviceId }) => preview.waves[0].device_ids.includes(deviceId));
		const target = { version: "1.1.0", hash };
		for (const { device } of first) {
			await device.manifest(rig.server);
			await device.report(rig.server, { state: "DOWNLOADING", target, chunksReceived: 1, chunkCount: 3 });
			await device.report(rig.server, { state: "REBOOTING", bootStatus: "pending_reboot", target });
			const trial = { state: "BOOT_VERIFICATION", bootStatus: "boot_verification", trialBoots: 1 } as const;
			await device.report(rig.server, { ...trial, version: "1.1.0", slot: "ota_1", target });
		}
		for (let turn = 0; turn < 10; turn++) {
			await rig.pass(60);
			const { state, wave: open, wave_counts: counts } = await rig.state(id);
			expect([state, open, counts[0].device_count]).toEqual(["running", 0, first.length]);
		}
		await rig.pass(DAY);
		expect(await rig.state(id)).toMatchObject({
			state: "stopped",
			wave: 0,
			state_reason: `0 of ${first.length} devices of the wave succeeded, less than 90 %`,
		});
	});

	it("waits while too many of a wave are not heard of since their restart", async () => {
		const devices = await rig.fleet(30);
		const { id: releaseId, hash } = await rig.release("1.1.0");
		const gate = { min_success_percent: 80, min_finished_count: 1 };
		const id = await rig.rollout(releaseId, { waves: [wave(60, gate), wave(100, gate)] });
		const preview = (await rig.get(`/api/rollouts/${id}/preview`)).json();
		const first = devices.filter((device) => preview.waves[0].device_ids.includes(device.id));
		const half = Math.ceil(first.length / 2);
		for (const [index, device] of first.entries())
			await device.poll(rig.server, index < half ? "never comes back" : "works");
		await rig.pass(16);
		// All that are through are well.
		expect(await rig.state(id)).toMatchObject({
			state: "running",
			wave: 0,
			counts: { succeeded: first.length - half, failed: 0, installing: half },
		});
		for (const device of first.slice(0, half)) await device.finish(rig.server, { version: "1.1.0", hash });
		await rig.pass();
		expect(await rig.state(id)).toMatchObject({ state: "running", wave: 1 });
	});
});

describe("a server on which rollouts are needed", () => {
	it("gives nobody a release before its rollout, the first one included", async () => {
		await rig.close();
		rig = await RolloutRig.start({ isRolloutNeeded: true });
		const [device] = await rig.fleet(1);
		const { id: releaseId } = await rig.release("1.1.0");
		expect(await device?.poll(rig.server)).toBe(204);
		await rig.rollout(releaseId);
		expect(await device?.poll(rig.server)).toBe(200);
		expect(device?.version).toBe("1.1.0");
	});
});
