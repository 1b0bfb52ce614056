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
