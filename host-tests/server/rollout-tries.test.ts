// How a device fares in a rollout over its tries: places, ends that nobody tells, and what takes it out and back in.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FleetDevice, RolloutRig } from "./rollout-rig.js";

let rig: RolloutRig;
beforeEach(async () => {
	rig = await RolloutRig.start();
});
afterEach(() => rig.close());

const pair = async () => (await rig.fleet(2)) as [FleetDevice, FleetDevice];

describe("a download place", () => {
	it("is not held for ever by a device that asks again and again and never downloads", async () => {
		const [busy, other] = await pair();
		const { id: releaseId } = await rig.release("1.1.0");
		await rig.rollout(releaseId, { max_concurrent_downloads: 1 });
		const answers: number[][] = [];
		for (let turn = 0; turn < 5; turn++) {
			const first = (await busy.device.manifest(rig.server)).statusCode;
			answers.push([first, (await other.device.manifest(rig.server)).statusCode]);
			await rig.pass(5);
		}
		// Who let its place pass comes to its turn again.
		expect(answers).toEqual([
			[200, 503],
			[200, 503],
			[503, 200],
			[503, 200],
			[200, 503],
		]);
	});
});

describe("a device with more updates than its history takes in an hour", () => {
	it("has its tries counted all the same, each in the place of the one before", async () => {
		const [device] = await rig.fleet(1);
		for (let at = 0; at < 100; at++) {
			const target = { version: `0.0.${at}`, hash: String(at).padStart(64, "0") };
			await device?.device.report(rig.server, {
				state: "DOWNLOADING",
				target,
				chunksReceived: 1,
				chunkCount: 3,
			});
		}
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, { retry: { max_attempts: 3, delay_minutes: 0 } });
		for (let tries = 0; tries < 4; tries++) await device?.poll(rig.server, "stalls");
		expect(await rig.state(id)).toMatchObject({ counts: { failed: 1 } });
		const { updates } = (await rig.get(`/api/updates?device_id=${device?.id}&limit=500`)).json();
		expect(updates).toHaveLength(101);
		expect(updates[0]).toMatchObject({ rollout_id: id, attempt: 3, status: "failed" });
		expect(await rig.eventTypes("fota", "&type=update_history_full")).toHaveLength(1);
	});
});

describe("a device that runs the old firmware again behind its restart and does not say why", () => {
	const lastUpdate = async (device: FleetDevice) =>
		(await rig.get(`/api/devices/${device.id}/updates`)).json().updates[0];
	const installUpToRestart = async ({ device }: FleetDevice) => {
		const { version, hash } = (await device.manifest(rig.server)).json();
		const about = { target: { version, hash } };
		await device.report(rig.server, { ...about, state: "DOWNLOADING", chunksReceived: 1, chunkCount: 3 });
		await device.report(rig.server, { ...about, state: "REBOOTING", bootStatus: "pending_reboot" });
	};

	it.each(["reports", "asks"])("has failed when it %s, which counts for the stop rule", async (how) => {
		const [device] = await pair();
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, { stop_rule: { max_failure_percent: 0, min_failure_count: 1 } });
		await installUpToRestart(device);
		expect(await rig.state(id)).toMatchObject({ state: "running", counts: { installing: 1 } });
		if (how === "reports") await device.device.report(rig.server);
		else await device.device.manifest(rig.server);
		expect(await rig.state(id)).toMatchObject({ state: "paused", counts: { failed: 1 } });
		expect(await lastUpdate(device)).toMatchObject({ status: "failed", error_code: "came-back" });
		expect((await device.device.manifest(rig.server)).statusCode).toBe(204);
	});

	it("is tried again as often as the plan says", async () => {
		const [device] = await pair();
		const { id: releaseId } = await rig.release("1.1.0");
		await rig.rollout(releaseId, { retry: { max_attempts: 2, delay_minutes: 30 } });
		await installUpToRestart(device);
		expect((await device.device.manifest(rig.server)).statusCode).toBe(204);
		await rig.pass(30);
		await installUpToRestart(device);
		await rig.pass(30);
		expect((await device.device.manifest(rig.server)).statusCode).toBe(204);
		expect(await lastUpdate(device)).toMatchObject({ status: "failed", attempt: 2 });
	});

	it("is believed when it says it later", async () => {
		const [device] = await pair();
		const { id: releaseId, hash } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		await installUpToRestart(device);
		await device.device.report(rig.server);
		await device.finish(rig.server, { version: "1.1.0", hash });
		expect(await rig.state(id)).toMatchObject({ counts: { succeeded: 1, failed: 0 } });
	});
});

describe("a device that a rollout lost sight of", () => {
	const strict = { stop_rule: { max_failure_percent: 0, min_failure_count: 1 } };

	it("gets its release at once when the update that took its place came to nothing, as the same try", async () => {
		const [device] = await pair();
		const one = await rig.release("1.1.0");
		const two = await rig.release("1.2.0");
		const first = await rig.rollout(one.id);
		expect((await device.device.manifest(rig.server)).json().version).toBe("1.1.0");
		const second = await rig.rollout(two.id, { priority: 5, ...strict });
		await device.poll(rig.server, "crashes");
		expect(await rig.state(first)).toMatchObject({ counts: { retrying: 1, aborted: 0 } });
		await rig.act(second, "abort");
		await rig.pass();
		expect(await device.poll(rig.server)).toBe(200);
		expect(device.version).toBe("1.1.0");
		const { devices } = (await rig.get(`/api/rollouts/${first}/devices`)).json();
		expect(devices).toMatchObject([{ status: "succeeded", attempts: 1 }]);
	});

	it("is in it again when it is put back into service, but not in one that was aborted meanwhile", async () => {
		const [device, other] = await pair();
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		for (const { device: each } of [device, other]) await each.manifest(rig.server);
		const serve = async ({ id: deviceId }: FleetDevice, how: string) =>
			rig.post(`/api/devices/${deviceId}/${how}`, { reason: "as the test wants" });
		await serve(device, "decommission");
		expect(await rig.state(id)).toMatchObject({ counts: { aborted: 1 } });
		await serve(device, "reinstate");
		expect(await device.poll(rig.server)).toBe(200);
		await serve(other, "decommission");
		await rig.act(id, "abort");
		await serve(other, "reinstate");
		expect(await other.poll(rig.server)).toBe(204);
	});

	it("is tried again with those that failed", async () => {
		const [device, gone] = await pair();
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		await device.poll(rig.server, "stalls");
		await gone.device.manifest(rig.server);
		await rig.post(`/api/devices/${gone.id}/decommission`, { reason: "broken" });
		expect((await rig.act(id, "retry-failed")).json()).toEqual({ device_count: 2 });
	});
});
