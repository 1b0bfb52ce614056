// A device that does anything at any moment, and remembers what the firmware remembers: what is in its slots, what it refuses,
// what it has still to report. Used by chaos-rig.ts; it knows nothing of rollouts.
import { expect } from "vitest";
import type { StatusReport } from "../../src/protocol/status-report.js";
import type { Random } from "../../src/update/ports.js";
import type { RolloutRig } from "./rollout-rig.js";
import { TestDevice } from "./test-device.js";

export const ROLLBACK_STATUS = "/api/inverter/fota/rollback-status";

interface Target {
	readonly version: string;
	readonly hash: string;
}

const FACTORY: Target = { version: "1.0.0", hash: "00".repeat(32) };

/** What a device has in flash, and what it does next. */
export class ChaosDevice {
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
