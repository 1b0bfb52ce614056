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
