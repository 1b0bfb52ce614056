// Rollouts from the draft to their end, over devices that really ask and report.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeImage, sha256, signStatement, statementFor } from "./release-kit.js";
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

describe("a draft", () => {
	it("shows who would get it and who is left out, and is changed until it starts", async () => {
		await rig.fleet(3);
		await rig.device("pump-1", { deviceType: "pump" });
		const gone = await rig.fleet(1, "gone");
		await rig.post(`/api/devices/${gone[0]?.id}/decommission`, { reason: "stolen" });
		const { id: releaseId } = await rig.release("1.1.0");
		const device_ids = ["dev-000", "dev-001", "pump-1", "gone-000", "nobody"];
		const made = await rig.post("/api/rollouts", {
			name: "draft",
			release_id: releaseId,
			target: { kind: "devices", device_ids },
			...OPEN_PLAN,
		});
		const { id } = made.json();
		const rival = await rig.rollout(releaseId, { priority: 5 });
		expect((await rig.get(`/api/rollouts/${id}/preview`)).json()).toEqual({
			waves: [{ count: 2, device_ids: ["dev-000", "dev-001"] }],
			left_out: {
				other_device_type: { count: 1, device_ids: ["pump-1"] },
				decommissioned: { count: 1, device_ids: ["gone-000"] },
				unknown_device: { count: 1, device_ids: ["nobody"] },
			},
			known_bad: { count: 0, device_ids: [] },
			warnings: [`rollout ${rival} (running, priority 5) goes before this one for devices that are in both`],
		});
		const patched = await rig.send("PATCH", `/api/rollouts/${id}`, {
			target: { kind: "group", group: "lab" },
		});
		expect(patched.json()).toMatchObject({ target: { kind: "group", group: "lab" }, state: "draft" });
		await rig.act(id, "start");
		expect(problemOf(await rig.send("PATCH", `/api/rollouts/${id}`, { name: "x" }))).toBe(
			"409 rollout-conflict",
		);
	});

	it("warns of devices that came back from the release, until one has it after all", async () => {
		const [first, second, third] = await rig.fleet(4);
		const { id: releaseId, hash } = await rig.release("1.1.0");
		const before = await rig.rollout(releaseId, { retry: { max_attempts: 1, delay_minutes: 0 } });
		await first?.poll(rig.server, "crashes");
		await second?.poll(rig.server, "stalls");
		await third?.poll(rig.server, "crashes");
		await rig.act(before, "abort");
		const preview = async () => (await rig.get(`/api/rollouts/${before}/preview`)).json();
		expect(await preview()).toMatchObject({
			waves: [{ count: 4 }],
			known_bad: { count: 2, device_ids: ["dev-000", "dev-002"] },
			warnings: [
				"2 devices came back from it and refuse this release (release-known-bad), which the stop rule counts as failed",
			],
		});
		// Erased and updated again, then flashed by cable with the old one.
		await third?.finish(rig.server, { version: "1.1.0", hash });
		await third?.device.report(rig.server);
		expect(await preview()).toMatchObject({
			waves: [{ count: 4 }],
			known_bad: { count: 1, device_ids: ["dev-000"] },
			warnings: [expect.stringMatching(/^1 device came back from it and refuses this release/)],
		});
	});

	it("warns of devices that came back from the image before it was a release, until that is signed anew", async () => {
		const [pushed, stopped] = await rig.fleet(2);
		const image = makeImage({ version: "1.1.0" });
		const target = { version: "1.1.0", hash: sha256(image) };
		const error = { code: "boot-crashed", message: "it went back" } as const;
		const back = { state: "ROLLBACK", bootStatus: "boot_failed", isRolledBack: true, error, target } as const;
		await pushed?.device.report(rig.server, back);
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		await stopped?.poll(rig.server, "crashes");
		// A try that is cut off by an operator takes nothing back.
		await rig.act(id, "retry-failed");
		await stopped?.device.manifest(rig.server);
		await rig.act(id, "abort");
		const knownBad = async () => (await rig.get(`/api/rollouts/${id}/preview`)).json().known_bad.device_ids;
		expect(await knownBad()).toEqual(["dev-000", "dev-001"]);
		const releasedAt = Math.floor(rig.clock.nowMs / 1000) + 60;
		const anew = signStatement(statementFor(image, { version: "1.1.0", releasedAt }), rig.releaseKey);
		expect((await rig.upload(image, anew)).statusCode).toBe(200);
		expect(await knownBad()).toEqual([]);
	});

	it.each([
		{ waves: [] },
		{ waves: [{ ...wave(100), share_percent: 0 }] },
		{ waves: [wave(50)] },
		{ window: { from: "24:00", to: "01:00", days: ["mon"] } },
		{ window: { from: "01:00", to: "02:00", days: [] } },
		{ retry: { max_attempts: 0, delay_minutes: 1 } },
		{ on_stop: "panic" },
		{ surprise: true },
	])("is refused with %j", async (more) => {
		const { id: releaseId } = await rig.release("1.1.0");
		const body = { name: "bad", release_id: releaseId, target: { kind: "all" }, ...OPEN_PLAN, ...more };
		expect(problemOf(await rig.post("/api/rollouts", body))).toBe("400 request-malformed");
	});

	it("takes ten thousand named devices and no more, and no release that there is not", async () => {
		const { id: releaseId } = await rig.release("1.1.0");
		const device_ids = Array.from({ length: 10_000 }, (_, index) => `device-with-a-long-name-${index}`);
		const body = { name: "all named", release_id: releaseId, target: { kind: "devices", device_ids } };
		const made = await rig.post("/api/rollouts", body);
		expect(made.statusCode).toBe(201);
		device_ids.push("one-too-many");
		expect(problemOf(await rig.post("/api/rollouts", body))).toBe("400 request-malformed");
		const preview = (await rig.get(`/api/rollouts/${made.json().id}/preview`)).json();
		expect(preview.left_out.unknown_device.count).toBe(10_000);
		expect(preview.left_out.unknown_device.device_ids).toHaveLength(100);
		const unknown = { name: "x", release_id: 999, target: { kind: "all" } };
		expect(problemOf(await rig.post("/api/rollouts", unknown))).toBe("404 release-unknown");
		expect(problemOf(await rig.get("/api/rollouts/999"))).toBe("404 not-found");
	});
});
