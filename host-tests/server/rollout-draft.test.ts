// Drafts of rollouts: who would get it, who is left out or will refuse it, and what is no plan.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeImage, sha256, signStatement, statementFor } from "./release-kit.js";
import { OPEN_PLAN, RolloutRig } from "./rollout-rig.js";
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
