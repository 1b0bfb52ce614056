// Operators and devices that do anything at any moment, on one server or two: what must hold whatever they do. The devices
// are models that remember what the firmware remembers, so the server's word is compared with what really happened.
import { afterEach, describe, expect, it } from "vitest";
import type { StatusReport } from "../../src/protocol/status-report.js";
import type { Random } from "../../src/update/ports.js";
import { seededRandom } from "../fakes/seeded-random.js";
import { makeReleaseKey } from "./release-kit.js";
import { RolloutRig } from "./rollout-rig.js";
import { databaseKind, type TestDatabase, testDatabase } from "./test-database.js";
import { TestDevice } from "./test-device.js";

/** 30 and 46 found devices that kept a withdrawn release: they were out of service when it was rolled back. */
const SEEDS = (process.env.FOTA_CHAOS_SEEDS ?? "1 30 46").split(" ").map(Number);
const STEPS = Number(process.env.FOTA_CHAOS_STEPS ?? 120);
const DEVICES = 10;
const RELEASES_MAX = 5;
const ROLLBACK_STATUS = "/api/inverter/fota/rollback-status";

const sumOf = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);

interface Target {
	readonly version: string;
	readonly hash: string;
}

interface RolloutSummary {
	readonly id: number;
	readonly state: string;
	readonly release_id: number;
	readonly started_at: string | null;
	readonly finished_at: string | null;
}

const FACTORY: Target = { version: "1.0.0", hash: "00".repeat(32) };

/** What a device has in flash, and what it does next. */
class ChaosDevice {
	device: TestDevice;
	readonly random: Random;
	running = FACTORY;
	/** In the other slot, bootable. */
	previous: Target | undefined;
	job: (Target & { stage: "download" | "restart" | "trial" }) | undefined;
	lastOrderId = 0;
	isDecommissioned = false;
	/** Hashes that it refuses; that it, or the board before it, ever confirmed; that they ever left. */
	readonly bad = new Set<string>();
	readonly confirmed = new Set<string>();
	readonly left = new Set<string>();
	/** Told again until the server has it, as the firmware's outcomes. */
	#outcome: Partial<StatusReport> | undefined;

	constructor(device: TestDevice, random: Random) {
		this.device = device;
		this.random = random;
	}

	get id(): string {
		return this.device.deviceId;
	}

	/** Another board has the name, as it comes from the factory. */
	replaceBoard(keyHex: string): void {
		const { deviceId, nonce } = this.device;
		this.device = new TestDevice({ deviceId, keyHex });
		this.device.nonce = nonce;
		this.running = FACTORY;
		this.previous = undefined;
		this.job = undefined;
		this.#outcome = undefined;
		this.lastOrderId = 0;
		this.bad.clear();
	}

	/** One contact. `isWell`: nothing fails. */
	async act(rig: RolloutRig, isWell = false): Promise<void> {
		const chance = (share: number) => !isWell && this.random.below(1000) < share * 1000;
		if (this.#outcome !== undefined) return this.#tell(rig, this.#outcome);
		if (this.job?.stage === "restart") return this.#boot(rig, chance(0.2));
		if (this.job?.stage === "trial") {
			if (chance(0.3)) return this.#reportTrial(rig, this.job);
			return this.#decide(rig, chance(0.3));
		}
		if (this.job?.stage === "download") {
			if (chance(0.15)) return this.#fail(rig, this.job, "download-stalled");
			if (chance(0.25)) return void (await this.#report(rig, this.#progress(this.job)));
			if (chance(0.1)) this.job = undefined;
			else {
				this.job.stage = "restart";
				const { version, hash } = this.job;
				const about = { bootStatus: "pending_reboot", target: { version, hash } } as const;
				return void (await this.#report(rig, { state: "REBOOTING", ...about }));
			}
		}
		if (await this.#obey(rig)) return;
		if (chance(0.3)) return void (await this.#report(rig, {}));
		await this.#poll(rig);
	}

	async #poll(rig: RolloutRig): Promise<void> {
		const answer = await this.device.manifest(rig.server, this.running.version);
		this.#check(answer.statusCode, [200, 204, 503]);
		if (answer.statusCode !== 200) return;
		const { version, hash } = answer.json() as Target;
		expect(version > this.running.version, `${version} for ${this.running.version}`).toBe(true);
		if (this.bad.has(hash)) return this.#fail(rig, { version, hash }, "release-known-bad");
		this.job = { version, hash, stage: "download" };
		await this.#report(rig, this.#progress(this.job));
	}

	/** True if there was an order that it can carry out. */
	async #obey(rig: RolloutRig): Promise<boolean> {
		const answer = await this.device.send(rig.server, ROLLBACK_STATUS);
		this.#check(answer.statusCode, [200]);
		if (answer.statusCode !== 200) return false;
		const { rollback, order_id: orderId } = answer.json();
		if (rollback !== true || orderId <= this.lastOrderId) return false;
		this.lastOrderId = orderId;
		const target = this.running;
		this.job = undefined;
		if (this.previous === undefined) {
			const error = { code: "rollback-impossible", message: "no other valid image" } as const;
			await this.#tell(rig, {
				state: "FAILED",
				bootStatus: "normal",
				error,
				target,
				rollbackOrderId: orderId,
			});
			return true;
		}
		this.#leave(target);
		this.running = this.previous;
		this.previous = undefined;
		await this.#tell(rig, this.#rolledBack(target, "rollback-requested", orderId));
		return true;
	}

	/** Into the new firmware; it may crash before it can say so. */
	async #boot(rig: RolloutRig, isCrash: boolean): Promise<void> {
		if (isCrash) return this.#decide(rig, true);
		const job = this.job as Target;
		this.job = { ...job, stage: "trial" };
		await this.#reportTrial(rig, job);
	}

	async #reportTrial(rig: RolloutRig, { version, hash }: Target): Promise<void> {
		const about = { version, target: { version, hash }, trialBoots: 1 };
		await this.#report(rig, { ...about, state: "BOOT_VERIFICATION", bootStatus: "boot_verification" });
	}

	/** Confirms the new firmware or goes back. */
	async #decide(rig: RolloutRig, isCrash: boolean): Promise<void> {
		const { version, hash } = this.job as Target;
		this.job = undefined;
		if (isCrash) {
			this.#leave({ version, hash });
			return this.#tell(rig, this.#rolledBack({ version, hash }, "boot-crashed"));
		}
		this.previous = this.running;
		this.running = { version, hash };
		this.confirmed.add(hash);
		const target = this.running;
		await this.#tell(rig, { state: "COMPLETED", bootStatus: "boot_successful", isVerified: true, target });
	}

	#leave({ hash }: Target): void {
		this.bad.add(hash);
		this.left.add(hash);
	}

	#rolledBack(
		target: Target,
		code: "boot-crashed" | "rollback-requested",
		orderId?: number,
	): Partial<StatusReport> {
		const error = { code, message: "it went back" };
		const more = { isRolledBack: true, rollbackOrderId: orderId, error, target };
		return { state: "ROLLBACK", bootStatus: "boot_failed", resetReason: "panic", ...more };
	}

	#progress({ version, hash }: Target): Partial<StatusReport> {
		return {
			state: "DOWNLOADING",
			target: { version, hash },
			chunksReceived: 1 + this.random.below(3),
			chunkCount: 3,
		};
	}

	async #fail(
		rig: RolloutRig,
		target: Target,
		code: "download-stalled" | "release-known-bad",
	): Promise<void> {
		this.job = undefined;
		await this.#tell(rig, { state: "FAILED", target, error: { code, message: "it failed" } });
	}

	async #tell(rig: RolloutRig, outcome: Partial<StatusReport>): Promise<void> {
		this.#outcome = outcome;
		// Power goes before it is sent, or before the answer comes.
		const loss = this.random.below(20);
		if (loss === 0) return;
		if (await this.#report(rig, outcome)) this.#outcome = loss === 1 ? outcome : undefined;
	}

	async #report(rig: RolloutRig, changes: Partial<StatusReport>): Promise<boolean> {
		const { version } = this.running;
		const answer = await this.device.report(rig.server, { version, ...changes });
		this.#check(answer.statusCode, [200]);
		return answer.statusCode === 200;
	}

	#check(status: number, allowed: readonly number[]): void {
		expect(this.isDecommissioned ? [401] : allowed, `${this.id}: ${status}`).toContain(status);
	}
}

class Chaos {
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

describe("rollouts where anything happens at any moment", () => {
	let chaos: Chaos | undefined;
	afterEach(async () => {
		await chaos?.close();
		chaos = undefined;
	});

	it.each(SEEDS)("stay true to what the devices went through, and come to an end (seed %i)", async (seed) => {
		chaos = await Chaos.start(seed);
		for (let step = 0; step < STEPS; step++) {
			await chaos.step();
			if (step % 20 === 19) await chaos.check();
		}
		await chaos.calmDown();
		await chaos.check();
		await chaos.checkCalm();
	});
});
