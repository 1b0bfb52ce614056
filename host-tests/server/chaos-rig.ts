// Operators and devices that do anything at any moment, on one server or two, and what must hold whatever they do: the
// server's word is compared with what the devices went through.
import { expect } from "vitest";
import type { Random } from "../../src/update/ports.js";
import { seededRandom } from "../fakes/seeded-random.js";
import { ChaosDevice, ROLLBACK_STATUS } from "./chaos-device.js";
import { makeReleaseKey } from "./release-kit.js";
import { RolloutRig } from "./rollout-rig.js";
import { databaseKind, type TestDatabase, testDatabase } from "./test-database.js";

const DEVICES = 10;
const RELEASES_MAX = 5;

const sumOf = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

interface RolloutSummary {
	readonly id: number;
	readonly state: string;
	readonly release_id: number;
	readonly started_at: string | null;
	readonly finished_at: string | null;
}

export class Chaos {
	readonly rigs: readonly RolloutRig[];
	readonly random: Random;
	readonly devices: ChaosDevice[] = [];
	readonly #database: TestDatabase;
	readonly #completed = new Set<number>();
	#releaseCount = 0;

	static async start(seed: number): Promise<Chaos> {
		const random = seededRandom(seed);
		const database = await testDatabase();
		const releaseKey = makeReleaseKey();
		let count = 0;
		const newRolloutSeed = () => (seed * 1000 + ++count).toString(16).padStart(8, "0");
		const options = { databaseUrl: database.url, newRolloutSeed, silentAfterMs: 6 * 3_600_000 };
		const rigs = [await RolloutRig.start(options, releaseKey)];
		// A SQLite file belongs to one process.
		if (databaseKind === "PostgreSQL") rigs.push(await RolloutRig.start(options, releaseKey));
		const chaos = new Chaos(rigs, random, database);
		for (let index = 0; index < DEVICES; index++) {
			const device = new ChaosDevice(
				await chaos.rig.device(`dev-${index}`),
				seededRandom(seed * 1000 + index),
			);
			chaos.devices.push(device);
			await device.device.report(chaos.rig.server);
		}
		return chaos;
	}

	private constructor(rigs: readonly RolloutRig[], random: Random, database: TestDatabase) {
		this.rigs = rigs;
		this.random = random;
		this.#database = database;
	}

	/** Any of the servers. */
	get rig(): RolloutRig {
		return this.rigs[this.random.below(this.rigs.length)] as RolloutRig;
	}

	/** Of all servers alike. */
	pass(minutes: number): void {
		for (const rig of this.rigs) rig.clock.nowMs += minutes * 60_000;
	}

	/** Some devices, perhaps an operator and the regular work, all at the same moment. */
	async step(): Promise<void> {
		this.pass(this.random.below(40));
		if (this.random.below(15) === 0) await this.#serve();
		if (this.random.below(30) === 0) await this.#replaceBoard();
		const moves: Promise<unknown>[] = [];
		for (const device of this.devices) if (this.random.below(3) === 0) moves.push(device.act(this.rig));
		if (this.random.below(2) === 0) moves.push(this.#operate());
		if (this.random.below(2) === 0) moves.push(this.rig.pass(0));
		await Promise.all(moves);
		await Promise.all(this.rigs.map(({ app }) => app.idle()));
		await this.#checkCompleted();
	}

	/** Nobody was in the middle of it. */
	async #checkCompleted(): Promise<void> {
		for (const { id, state } of await this.rollouts()) {
			if (state !== "completed" || this.#completed.has(id)) continue;
			this.#completed.add(id);
			const { devices } = (
				await this.rig.get(`/api/rollouts/${id}/devices?limit=500&status=installing`)
			).json();
			expect(devices, `rollout ${id} is complete`).toEqual([]);
		}
	}

	async #operate(): Promise<void> {
		const act = this.random.below(12);
		if (act <= 1) return this.#newRelease();
		if (act <= 4) return this.#newRollout();
		if (act === 5) return this.#orderBack();
		if (act === 6) return this.#switchRelease();
		const rollouts = await this.rollouts();
		if (rollouts.length === 0) return;
		const { id } = rollouts[this.random.below(rollouts.length)] as { id: number };
		const actions = ["pause", "resume", "resume", "start", "start", "abort", "roll-back", "retry-failed"];
		const answer = await this.rig.act(id, actions[this.random.below(actions.length)] as string);
		expect([200, 409], answer.body).toContain(answer.statusCode);
	}

	async #newRelease(): Promise<void> {
		if (this.#releaseCount >= RELEASES_MAX) return;
		await this.rig.release(`1.${++this.#releaseCount}.0`);
	}

	async #newRollout(): Promise<void> {
		const releases = await this.releases();
		const release = releases[this.random.below(Math.max(1, releases.length))];
		if (release === undefined) return;
		const wave = (share_percent: number) => ({
			share_percent,
			min_wait_minutes: this.random.below(60),
			min_success_percent: this.random.below(90),
			min_finished_count: this.random.below(3),
		});
		const answer = await this.rig.post("/api/rollouts", {
			name: "chaos",
			release_id: release.id,
			target: this.random.below(2) === 0 ? { kind: "all" } : { kind: "share", share_percent: 60 },
			waves: this.random.below(2) === 0 ? [wave(100)] : [wave(30), wave(100)],
			stop_rule: this.random.below(3) === 0 ? null : { max_failure_percent: 30, min_failure_count: 2 },
			on_stop: this.random.below(2) === 0 ? "pause" : "roll_back",
			max_concurrent_downloads: this.random.below(4),
			retry: { max_attempts: 1 + this.random.below(3), delay_minutes: this.random.below(60) },
			priority: this.random.below(3),
		});
		expect([201, 409], answer.body).toContain(answer.statusCode);
	}

	/** Takes a device out of service or back into it, while it says nothing. */
	async #serve(device = this.devices[this.random.below(DEVICES)] as ChaosDevice): Promise<void> {
		const act = device.isDecommissioned ? "reinstate" : "decommission";
		const answer = await this.rig.post(`/api/devices/${device.id}/${act}`, { reason: "chaos" });
		expect(answer.statusCode, answer.body).toBe(200);
		device.isDecommissioned = !device.isDecommissioned;
	}

	async #replaceBoard(): Promise<void> {
		const device = this.devices[this.random.below(DEVICES)] as ChaosDevice;
		if (device.isDecommissioned) return;
		const body = { device_id: device.id, device_type: device.device.deviceType, new_key: true };
		const answer = await this.rig.post("/api/cloud/fota/devices", body);
		expect(answer.statusCode, answer.body).toBeLessThan(300);
		device.replaceBoard(answer.json().device_key);
	}

	async #orderBack(): Promise<void> {
		const device_id = (this.devices[this.random.below(DEVICES)] as ChaosDevice).id;
		const answer = await this.rig.post("/api/cloud/fota/rollback", { device_id, reason: "chaos" });
		expect([201, 409], answer.body).toContain(answer.statusCode);
	}

	async #switchRelease(): Promise<void> {
		const releases = await this.releases();
		const release = releases[this.random.below(Math.max(1, releases.length))];
		if (release === undefined) return;
		const to = this.random.below(2) === 0 ? "deactivate" : "activate";
		const answer = await this.rig.post(`/api/cloud/fota/releases/${release.id}/${to}`);
		expect([200, 204, 409], answer.body).toContain(answer.statusCode);
	}

	async releases(): Promise<{ id: number; version: string; hash: string; is_active: boolean }[]> {
		return (await this.rig.get("/api/cloud/fota/releases")).json().releases;
	}

	async rollouts(): Promise<RolloutSummary[]> {
		return (await this.rig.get("/api/rollouts")).json().rollouts;
	}

	/** What the server says of updates and rollouts is what the devices went through. */
	async check(): Promise<void> {
		const releases = await this.releases();
		const hashOf = (id: number) => releases.find((release) => release.id === id)?.hash ?? "";
		for (const device of this.devices) {
			const { updates } = (await this.rig.get(`/api/devices/${device.id}/updates?limit=500`)).json();
			const open = updates.filter((update: { finished_at: string | null }) => update.finished_at === null);
			expect(open.length, `open updates of ${device.id}`).toBeLessThanOrEqual(1);
			for (const { id, status, hash, bytes_received, bytes_total } of updates) {
				const where = `update ${id} of ${device.id}`;
				if (status === "success") expect(device.confirmed.has(hash), where).toBe(true);
				if (status === "rolled_back") expect(device.left.has(hash), where).toBe(true);
				if (bytes_total !== null) expect(bytes_received, where).toBeLessThanOrEqual(bytes_total);
			}
		}
		for (const rollout of await this.rollouts()) {
			const detail = (await this.rig.get(`/api/rollouts/${rollout.id}`)).json();
			const { devices } = (await this.rig.get(`/api/rollouts/${rollout.id}/devices?limit=500`)).json();
			for (const [status, count] of Object.entries(detail.counts)) {
				const found = devices.filter((member: { status: string }) => member.status === status);
				expect(found.length, `${status} of rollout ${rollout.id}`).toBe(count);
			}
			for (const { device_id: deviceId, status } of devices) {
				if (status !== "succeeded") continue;
				const device = this.devices.find(({ id }) => id === deviceId);
				const where = `${deviceId} in rollout ${rollout.id}`;
				expect(device?.confirmed.has(hashOf(rollout.release_id)), where).toBe(true);
			}
		}
	}

	/** Nobody does anything unexpected any more: everything under way comes to its end. */
	async calmDown(): Promise<void> {
		for (const device of this.devices) if (device.isDecommissioned) await this.#serve(device);
		for (const { id, state } of await this.rollouts()) {
			if (state === "draft") await this.rig.act(id, "start");
			if (state === "paused") await this.rig.act(id, "resume");
		}
		for (let round = 0; round < 40; round++) {
			this.pass(60);
			for (const device of this.devices) await device.act(this.rig, true);
			for (const rig of this.rigs) await rig.pass(0);
			await Promise.all(this.rigs.map(({ app }) => app.idle()));
		}
	}

	async checkCalm(): Promise<void> {
		for (const device of this.devices) {
			expect(device.job, `${device.id} is through`).toBeUndefined();
			const { rollback, order_id: id } = (await device.device.send(this.rig.server, ROLLBACK_STATUS)).json();
			if (rollback === true) expect(id, `order to ${device.id}`).toBeLessThanOrEqual(device.lastOrderId);
		}
		const releases = await this.releases();
		const rollouts = await this.rollouts();
		for (const { id, state, release_id: releaseId, finished_at: finishedAt } of rollouts) {
			const where = `rollout ${id}, ${state}`;
			const isOnOffer = releases.find((release) => release.id === releaseId)?.is_active === true;
			if (isOnOffer && state === "running") {
				// It waits for a first device. One that is to try again may have passed it by.
				const { waves } = (await this.rig.get(`/api/rollouts/${id}/preview`)).json();
				expect(sumOf(waves.map(({ count }: { count: number }) => count)), where).toBe(0);
				const { counts } = (await this.rig.get(`/api/rollouts/${id}`)).json();
				expect(counts, where).toMatchObject({ succeeded: 0, failed: 0, rolled_back: 0 });
			}
			const { devices } = (await this.rig.get(`/api/rollouts/${id}/devices?limit=500`)).json();
			const under = devices.filter(({ status }: { status: string }) =>
				["offered", "downloading", "installing"].includes(status),
			);
			if (state !== "running" && state !== "paused") expect(under, where).toEqual([]);
			const isGivenAgain = rollouts.some(
				(other) => other.release_id === releaseId && (other.started_at ?? "") >= (finishedAt ?? ""),
			);
			const release = releases.find(({ id: other }) => other === releaseId);
			if (state === "stopped" && !isGivenAgain) this.#checkLeft(devices, release);
		}
		const audit = (await this.rig.get("/api/audit/verify")).json();
		expect(audit).toMatchObject({ is_whole: true });
	}

	/** Whoever got the release by a rollout that was stopped has left it, where there was something to go back to. */
	#checkLeft(
		members: readonly { readonly device_id: string; readonly status: string }[],
		release: { readonly hash: string } | undefined,
	): void {
		for (const { device_id: deviceId, status } of members) {
			const device = this.devices.find(({ id }) => id === deviceId);
			if (status !== "succeeded" || device?.previous === undefined) continue;
			expect(device.running.hash, `${deviceId} was ordered back`).not.toBe(release?.hash);
		}
	}

	async close(): Promise<void> {
		for (const rig of this.rigs) await rig.close();
		await this.#database.remove();
	}
}
