// Rollouts from their start to their end, over devices that really ask and report.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FleetDevice, OPEN_PLAN, RolloutRig } from "./rollout-rig.js";
import { problemOf } from "./server-rig.js";

const HOUR = 60;
const wave = (share_percent: number, min_finished_count = 1) => ({
	share_percent,
	min_wait_minutes: HOUR,
	min_success_percent: 80,
	min_finished_count,
});

let rig: RolloutRig;
beforeEach(async () => {
	rig = await RolloutRig.start();
});
afterEach(() => rig.close());

const pollAll = async (devices: readonly FleetDevice[], fate?: (index: number) => "works" | "crashes") => {
	const answers: number[] = [];
	for (const [index, device] of devices.entries())
		answers.push(await device.poll(rig.server, fate?.(index) ?? "works"));
	return answers;
};

describe("a rollout", () => {
	it("reaches the fleet wave by wave and is then complete", async () => {
		const devices = await rig.fleet(20);
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, { waves: [wave(30), wave(100)] });
		const preview = (await rig.get(`/api/rollouts/${id}/preview`)).json();
		const [first, second] = preview.waves;
		expect(first.count + second.count).toBe(20);
		expect(first.count).toBeGreaterThan(0);

		await pollAll(devices);
		const updated = devices.filter(({ version }) => version === "1.1.0").map((device) => device.id);
		expect(updated).toEqual(first.device_ids);
		await rig.pass(HOUR - 1);
		expect(await rig.state(id)).toMatchObject({ state: "running", wave: 0 });
		await rig.pass(1);
		expect(await rig.state(id)).toMatchObject({ state: "running", wave: 1 });
		await pollAll(devices);
		expect(devices.every(({ version }) => version === "1.1.0")).toBe(true);
		await rig.pass(HOUR);
		const done = await rig.state(id);
		expect(done).toMatchObject({ state: "completed", counts: { succeeded: 20 } });
		expect(done.events.map((event: { type: string }) => event.type)).toEqual([
			"completed",
			"wave_opened",
			"started",
			"created",
		]);

		// Late ones may have it, without waves.
		const [late] = await rig.fleet(1, "late");
		expect(await late?.poll(rig.server)).toBe(200);
	});

	it("reaches other devices first than the one before", async () => {
		const drawn = await RolloutRig.start({ newRolloutSeed: undefined });
		await drawn.fleet(60);
		const { id: releaseId } = await drawn.release("1.1.0");
		const firstOf = async () => {
			const target = { kind: "all" };
			const plan = { ...OPEN_PLAN, waves: [wave(50), wave(100)] };
			const made = await drawn.post("/api/rollouts", { name: "t", release_id: releaseId, target, ...plan });
			return (await drawn.get(`/api/rollouts/${made.json().id}/preview`)).json().waves[0].device_ids;
		};
		expect(await firstOf()).not.toEqual(await firstOf());
		await drawn.close();
	});

	it("is stopped by its failure rate, and who runs the release is ordered back", async () => {
		const devices = await rig.fleet(60);
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, {
			waves: [wave(50), wave(100)],
			stop_rule: { max_failure_percent: 25, min_failure_count: 4 },
			on_stop: "roll_back",
		});
		let offered = 0;
		for (const device of devices)
			if ((await device.poll(rig.server, offered % 2 === 0 ? "crashes" : "works")) === 200) offered++;
		// The seventh was the fourth to fail.
		expect(offered).toBe(7);
		const stopped = await rig.state(id);
		expect(stopped).toMatchObject({ state: "stopped", counts: { rolled_back: 4 } });
		expect(stopped.state_reason).toBe("4 of 7 devices failed, more than 25 %");
		const bad = devices.filter(({ version }) => version === "1.1.0");
		expect(bad.length).toBe(3);
		expect(stopped.counts.succeeded).toBe(3);

		await rig.pass();
		for (const device of devices) expect(await device.obey(rig.server)).toBe(bad.includes(device));
		expect(devices.every(({ version }) => version === "1.0.0")).toBe(true);
		expect(await rig.state(id)).toMatchObject({ counts: { succeeded: 0, rolled_back: 4 + bad.length } });
		// The release is nobody's any more.
		expect(new Set(await pollAll(devices))).toEqual(new Set([204]));
		const { updates } = (await rig.get(`/api/updates?rollout_id=${id}&status=rolled_back`)).json();
		expect(updates).toHaveLength(4 + bad.length);
	});

	it("that is paused offers nothing, and goes on when it is resumed, its stop rule counting from there", async () => {
		const devices = await rig.fleet(6);
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, {
			stop_rule: { max_failure_percent: 0, min_failure_count: 1 },
		});
		const [first, second, third, fourth] = devices;
		expect(await first?.poll(rig.server, "crashes")).toBe(200);
		expect(await rig.state(id)).toMatchObject({
			state: "paused",
			state_reason: "1 of 1 devices failed, more than 0 %",
		});
		expect(await second?.poll(rig.server)).toBe(204);
		expect((await rig.act(id, "resume")).json()).toMatchObject({ state: "running" });
		expect(await second?.poll(rig.server)).toBe(200);
		expect(await rig.state(id)).toMatchObject({ state: "running" });
		expect(await third?.poll(rig.server, "crashes")).toBe(200);
		expect(await rig.state(id)).toMatchObject({ state: "paused" });
		expect(await fourth?.poll(rig.server)).toBe(204);
	});

	it("that is aborted ends downloads under way, and the release stays withheld", async () => {
		const [device, other] = await rig.fleet(2);
		if (device === undefined || other === undefined) throw new Error("no devices");
		const { id: releaseId, hash } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		expect(await device.poll(rig.server, "falls silent")).toBe(200);
		const chunk = () =>
			device.device.send(rig.server, `/api/inverter/fota/chunk?chunk_number=0&chunk_size=4096&hash=${hash}`);
		expect((await chunk()).statusCode).toBe(200);
		expect((await rig.act(id, "abort")).json()).toMatchObject({ state: "aborted" });
		await rig.pass();
		expect(problemOf(await chunk())).toBe("404 release-unknown");
		expect(await other.poll(rig.server)).toBe(204);
		expect(await rig.state(id)).toMatchObject({ counts: { aborted: 1 } });
		const again = await rig.rollout(releaseId);
		expect(await device.poll(rig.server)).toBe(200);
		expect(await rig.state(again)).toMatchObject({ counts: { succeeded: 1 } });
		expect(problemOf(await rig.act(id, "resume"))).toBe("409 rollout-conflict");
	});

	it("tries a failed device again after the delay, as often as it may, and once more when asked to", async () => {
		const [device] = await rig.fleet(1);
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, { retry: { max_attempts: 2, delay_minutes: 30 } });
		const poll = (fate: "stalls" | "works") => device?.poll(rig.server, fate);
		expect(await poll("stalls")).toBe(200);
		expect(await poll("stalls")).toBe(204);
		await rig.pass(30);
		expect(await poll("stalls")).toBe(200);
		expect(await rig.state(id)).toMatchObject({ counts: { failed: 1, retrying: 0 } });
		await rig.pass(30);
		expect(await poll("stalls")).toBe(204);
		const again = await rig.rollout(releaseId, { target: { kind: "group", group: "nobody" } });
		expect((await rig.act(again, "retry-failed")).json()).toEqual({ device_count: 0 });
	});

	it("counts a device that falls silent in the middle as failed, and takes it back when it was done", async () => {
		const [device] = await rig.fleet(1);
		if (device === undefined) throw new Error("no device");
		const { id: releaseId, hash } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, { waves: [wave(100, 100)] });
		await device.poll(rig.server, "falls silent");
		await rig.pass(24 * HOUR);
		expect(await rig.state(id)).toMatchObject({ counts: { downloading: 1 } });
		await rig.pass(1);
		expect(await rig.state(id)).toMatchObject({ counts: { failed: 1 } });
		const last = async () => (await rig.get(`/api/devices/${device.id}/updates`)).json().updates[0];
		expect(await last()).toMatchObject({ status: "failed", error_code: "silent" });
		await device.install(rig.server, { version: "1.1.0", hash }, "works");
		expect(await last()).toMatchObject({ status: "success", error_code: null });
		expect((await rig.get(`/api/devices/${device.id}/updates`)).json().updates).toHaveLength(1);
	});

	it("keeps to the window of each device's own time", async () => {
		const [berlin, tokyo] = await rig.fleet(2);
		const patch = (id: string | undefined, time_zone: string) =>
			rig.send("PATCH", `/api/devices/${id}`, { time_zone });
		expect((await patch(berlin?.id, "Europe/Berlin")).json()).toMatchObject({ time_zone: "Europe/Berlin" });
		expect((await patch(tokyo?.id, "Asia/Tokyo")).statusCode).toBe(200);
		expect(problemOf(await patch(tokyo?.id, "Mars/Base"))).toBe("400 request-malformed");
		const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
		const { id: releaseId } = await rig.release("1.1.0");
		await rig.rollout(releaseId, { window: { from: "02:00", to: "05:00", days } });
		rig.clock.nowMs = Date.parse("2025-06-20T18:00:00Z");
		expect(await berlin?.poll(rig.server)).toBe(204);
		expect(await tokyo?.poll(rig.server)).toBe(200);
		rig.clock.nowMs = Date.parse("2025-06-21T00:30:00Z");
		expect(await berlin?.poll(rig.server)).toBe(200);
	});

	it("never has more downloads than places, and counts no failure for those it sheds", async () => {
		const devices = await rig.fleet(12);
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, { max_concurrent_downloads: 3 });
		const ask = ({ device }: FleetDevice) => device.manifest(rig.server);
		const answers = await Promise.all(devices.map(ask));
		const shed = answers.filter(({ statusCode }) => statusCode === 503);
		expect(answers.filter(({ statusCode }) => statusCode === 200)).toHaveLength(3);
		expect(shed).toHaveLength(9);
		expect(shed[0]?.headers["retry-after"]).toBe("60");
		expect(shed[0]?.json().code).toBe("server-unavailable");
		expect(await rig.state(id)).toMatchObject({ counts: { offered: 3, failed: 0 } });
		// Whoever has a place keeps it, and a place that nobody uses comes free.
		const holder = devices[answers.findIndex(({ statusCode }) => statusCode === 200)];
		expect(holder && (await ask(holder)).statusCode).toBe(200);
		await rig.pass(11);
		const later = await Promise.all(devices.map(ask));
		expect(later.filter(({ statusCode }) => statusCode === 200)).toHaveLength(3);
	});

	it("does not shed a device that is to go back: it learns of its order", async () => {
		const [device] = await rig.fleet(1);
		const { id: releaseId } = await rig.release("1.1.0");
		await rig.rollout(releaseId);
		await rig.post("/api/cloud/fota/rollback", { device_id: device?.id, reason: "first" });
		expect(await device?.poll(rig.server)).toBe(204);
	});

	it("of a release that is deactivated pauses, and cannot be resumed before it is active", async () => {
		const [device] = await rig.fleet(1);
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		await rig.post(`/api/cloud/fota/releases/${releaseId}/deactivate`);
		expect(await device?.poll(rig.server)).toBe(204);
		await rig.pass();
		expect(await rig.state(id)).toMatchObject({
			state: "paused",
			state_reason: "the release was deactivated",
		});
		expect(problemOf(await rig.act(id, "resume"))).toBe("409 rollout-conflict");
	});

	it("takes note of a device that got the release another way, and of a new board", async () => {
		const [pushed, replaced] = await rig.fleet(2);
		if (pushed === undefined || replaced === undefined) throw new Error("no devices");
		const { id: releaseId, hash } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId, { waves: [wave(100, 2)] });
		await pushed.install(rig.server, { version: "1.1.0", hash }, "works");
		await replaced.poll(rig.server, "crashes");
		expect(await rig.state(id)).toMatchObject({ counts: { rolled_back: 1, succeeded: 0 } });
		await rig.replaceBoard(replaced);
		expect(await rig.state(id)).toMatchObject({ counts: { rolled_back: 0 } });
		expect(await replaced.poll(rig.server)).toBe(200);
		await rig.pass(HOUR);
		expect(await rig.state(id)).toMatchObject({ state: "completed", counts: { succeeded: 1 } });
	});
});
