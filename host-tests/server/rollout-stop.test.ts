// How a rollout ends before its time, and who goes back.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FleetDevice, OPEN_PLAN, RolloutRig } from "./rollout-rig.js";
import { problemOf } from "./server-rig.js";

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

	const serve = (device: FleetDevice, act: "decommission" | "reinstate") =>
		rig.post(`/api/devices/${device.id}/${act}`, { reason: "in the workshop" });

	it.each(["before", "behind"])(
		"orders a device back that was taken out of service %s the stop, once it is in service again",
		async (when) => {
			const [device] = await pair();
			const { id: releaseId } = await rig.release("1.1.0");
			const id = await rig.rollout(releaseId);
			await device.poll(rig.server);
			if (when === "before") await serve(device, "decommission");
			await rig.act(id, "roll-back");
			await rig.pass();
			if (when === "behind") await serve(device, "decommission");
			await serve(device, "reinstate");
			await rig.pass();
			expect(await device.obey(rig.server)).toBe(true);
			await rig.pass();
			expect(await device.obey(rig.server)).toBe(false);
			expect(await rig.state(id)).toMatchObject({ counts: { succeeded: 0, rolled_back: 1 } });
		},
	);

	it("orders no device back that is in service again and has the release by a later rollout, or another one", async () => {
		const [again, other] = await pair();
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		for (const device of [again, other]) await device.poll(rig.server);
		for (const device of [again, other]) await serve(device, "decommission");
		await rig.act(id, "roll-back");
		await rig.pass();
		await serve(other, "reinstate");
		await other.device.report(rig.server, { version: "1.2.0" });
		await rig.pass();
		expect(await other.obey(rig.server)).toBe(false);
		await rig.rollout(releaseId);
		await serve(again, "reinstate");
		await rig.pass();
		expect(await again.obey(rig.server)).toBe(false);
	});
});

describe("a rollback order", () => {
	const order = (deviceId: string) =>
		rig.post("/api/cloud/fota/rollback", { device_id: deviceId, reason: "1.1.0 is bad" });
	const pending = async ({ device }: FleetDevice) =>
		(await device.send(rig.server, "/api/inverter/fota/rollback-status")).json().rollback;

	it("goes before a release that is free for everyone", async () => {
		const [device] = await pair();
		await rig.release("1.1.0");
		await device.poll(rig.server);
		await order(device.id);
		await rig.release("1.2.0");
		expect(await device.poll(rig.server)).toBe(204);
		expect(await device.obey(rig.server)).toBe(true);
		expect(await device.poll(rig.server)).toBe(200);
		expect(device.version).toBe("1.2.0");
	});

	it("is void once the device reports that it runs something else, but not while that is on trial", async () => {
		const [device] = await pair();
		await rig.release("1.1.0");
		await device.poll(rig.server);
		await order(device.id);
		const pushed = { version: "1.2.0", slot: "ota_0", target: { version: "1.2.0", hash: "ab".repeat(32) } };
		const trial = { ...pushed, state: "BOOT_VERIFICATION", bootStatus: "boot_verification" } as const;
		expect((await device.device.report(rig.server, trial)).json().rollback_pending).toBe(false);
		expect(await pending(device)).toBe(false);
		// It fell back: the order is for what runs again.
		await device.device.report(rig.server, { version: "1.1.0", slot: "ota_1" });
		expect(await pending(device)).toBe(true);
		await device.device.report(rig.server, { ...pushed, state: "COMPLETED", bootStatus: "boot_successful" });
		await device.device.report(rig.server, { version: "1.1.0", slot: "ota_1" });
		expect(await pending(device)).toBe(false);
		expect(await rig.eventTypes("fota", "&type=rollback_voided")).toHaveLength(1);
	});

	it("is void once the device asks for updates with another version, before it could ask for the order", async () => {
		const [device] = await pair();
		await rig.release("1.1.0");
		await device.poll(rig.server);
		await order(device.id);
		expect((await device.device.manifest(rig.server, "1.2.0")).statusCode).toBe(204);
		expect(await pending(device)).toBe(false);
	});

	it("for a device that never reported is meant for what it reports first", async () => {
		const device = await rig.device("new-1");
		await order("new-1");
		const ask = async () =>
			(await device.send(rig.server, "/api/inverter/fota/rollback-status")).json().rollback;
		expect(await ask()).toBe(true);
		await device.report(rig.server, { version: "1.1.0" });
		expect(await ask()).toBe(true);
		await device.report(rig.server, { version: "1.2.0" });
		expect(await ask()).toBe(false);
	});
});

describe("an operator who rolls back", () => {
	it.each(["running", "paused", "aborted", "completed"])(
		"a rollout that is %s gets its devices back",
		async (state) => {
			const [first, second] = await pair();
			const { id: releaseId } = await rig.release("1.1.0");
			const id = await rig.rollout(releaseId);
			await first.poll(rig.server);
			if (state === "paused" || state === "aborted")
				await rig.act(id, state === "paused" ? "pause" : "abort");
			if (state === "completed") {
				await second.poll(rig.server);
				await rig.pass();
			}
			expect(await rig.state(id)).toMatchObject({ state });
			expect((await rig.act(id, "roll-back")).json()).toMatchObject({ state: "stopped" });
			await rig.pass();
			expect(await first.obey(rig.server)).toBe(true);
			expect(await second.obey(rig.server)).toBe(state === "completed");
			expect(await first.poll(rig.server)).toBe(204);
			expect(problemOf(await rig.act(id, "roll-back"))).toBe("409 rollout-conflict");
		},
	);

	it("gets those back as well that came late to a completed rollout, and came to it as often as they needed", async () => {
		const [device] = await pair();
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await rig.rollout(releaseId);
		await device.poll(rig.server);
		await rig.pass(8 * 24 * 60);
		expect(await rig.state(id)).toMatchObject({ state: "completed" });
		const [late] = (await rig.fleet(1, "late")) as [FleetDevice];
		for (let turn = 0; turn < 3; turn++) expect(await late.poll(rig.server, "stalls")).toBe(200);
		expect(await late.poll(rig.server)).toBe(200);
		expect(await rig.state(id)).toMatchObject({ counts: { succeeded: 2 } });
		await rig.act(id, "roll-back");
		await rig.pass();
		expect(await late.obey(rig.server)).toBe(true);
	});
});

describe("the audit log", () => {
	it("has what the server did to a rollout by itself, its orders in one line", async () => {
		const devices = await rig.fleet(4);
		const { id: releaseId } = await rig.release("1.1.0");
		const bad = await rig.rollout(releaseId, { ...STRICT, on_stop: "roll_back" });
		for (const [index, device] of devices.entries())
			await device.poll(rig.server, index < 3 ? "works" : "crashes");
		await rig.pass();
		const { id: betterId } = await rig.release("1.2.0");
		const good = await rig.rollout(betterId);
		for (const device of devices) {
			await device.obey(rig.server);
			await device.poll(rig.server);
		}
		await rig.pass();
		const { lines } = (await rig.get("/api/audit?actor=server")).json();
		const told = lines.map(({ action, target, details }: Record<string, unknown>) => [
			action,
			target,
			details,
		]);
		expect(told).toEqual([
			["rollout.stop", `rollout:${bad}`, { reason: "1 of 4 devices failed, more than 0 %" }],
			["rollout.order-rollbacks", `rollout:${bad}`, { device_count: 3 }],
			["rollout.complete", `rollout:${good}`, {}],
		]);
		expect((await rig.get("/api/audit/verify")).json().fault ?? null).toBeNull();
	});
});

describe("a draft", () => {
	const draft = async (releaseId: number) => {
		const target = { kind: "devices", device_ids: ["other"] };
		return (
			await rig.post("/api/rollouts", { name: "x", release_id: releaseId, target, ...OPEN_PLAN })
		).json().id;
	};

	it("withholds nothing, nor does one that was aborted unstarted", async () => {
		const [device] = await pair();
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await draft(releaseId);
		expect((await device.device.manifest(rig.server)).statusCode).toBe(200);
		await rig.act(id, "abort");
		rig.clock.nowMs += 1000;
		await rig.release("1.2.0");
		expect((await device.device.manifest(rig.server)).json().version).toBe("1.2.0");
	});

	it("can be deleted, and leaves a line in the audit log; one that was started cannot", async () => {
		const { id: releaseId } = await rig.release("1.1.0");
		const id = await draft(releaseId);
		const url = `/api/rollouts/${id}`;
		expect((await rig.change("DELETE", url)).statusCode).toBe(204);
		expect(problemOf(await rig.change("DELETE", url))).toBe("404 not-found");
		const { lines } = (await rig.get("/api/audit?action=rollout.delete")).json();
		expect(lines).toMatchObject([{ target: `rollout:${id}`, details: { name: "x", release_id: releaseId } }]);
		const started = await rig.rollout(releaseId);
		expect(problemOf(await rig.change("DELETE", `/api/rollouts/${started}`))).toBe("409 rollout-conflict");
	});
});
