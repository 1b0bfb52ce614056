// A server with a fleet of devices that update themselves as the firmware does: they ask, download, verify, restart and
// report. The server's regular work runs when the test says so.
import type { App, AppOptions } from "../../server/app.js";
import type { Server } from "../../server/services.js";
import { ROLLOUT_TASK_MS } from "../../server/stores/rollout-task.js";
import { type ReleaseKey, sha256 } from "./release-kit.js";
import { ADMIN_TOKEN, ServerRig } from "./server-rig.js";
import { TestDevice } from "./test-device.js";

export type Fate = "works" | "crashes" | "stalls" | "falls silent" | "never comes back";

/** Everyone at once, and nothing is held against the release. */
export const OPEN_PLAN = {
	waves: [{ share_percent: 100, min_wait_minutes: 0, min_success_percent: 0, min_finished_count: 0 }],
	stop_rule: null,
	retry: { max_attempts: 1, delay_minutes: 0 },
};

const apps = new WeakMap<Server, App>();

/** A failure is judged behind the answer to its report. */
const judged = (server: Server) => apps.get(server)?.idle();

export class FleetDevice {
	device: TestDevice;
	version = "1.0.0";
	slot = "ota_0";

	constructor(device: TestDevice) {
		this.device = device;
	}

	get id(): string {
		return this.device.deviceId;
	}

	/** One poll; the status of the answer. An offer is installed with the given end. */
	async poll(server: Server, fate: Fate = "works"): Promise<number> {
		const answer = await this.device.manifest(server, this.version);
		if (answer.statusCode === 200) await this.install(server, answer.json(), fate);
		await judged(server);
		return answer.statusCode;
	}

	async install(server: Server, target: { version: string; hash: string }, fate: Fate): Promise<void> {
		const about = { target: { version: target.version, hash: target.hash }, ...this.#running() };
		await this.device.report(server, { ...about, state: "DOWNLOADING", chunksReceived: 1, chunkCount: 3 });
		if (fate === "falls silent") return;
		if (fate === "stalls") {
			const error = { code: "download-stalled" as const, message: "no answer" };
			await this.device.report(server, { ...about, state: "FAILED", error });
			return;
		}
		if (fate === "works") return this.finish(server, about.target);
		await this.device.report(server, { ...about, state: "REBOOTING", bootStatus: "pending_reboot" });
		if (fate === "never comes back") return;
		await this.#rollBack(server, about.target, "boot-crashed");
	}

	/** All bytes are there: restarts, and is confirmed. */
	async finish(server: Server, target: { version: string; hash: string }): Promise<void> {
		const about = { target: { version: target.version, hash: target.hash }, ...this.#running() };
		await this.device.report(server, { ...about, state: "REBOOTING", bootStatus: "pending_reboot" });
		await this.#confirm(server, about.target);
	}

	/** Asks for an order and carries it out; true if there was one. */
	async obey(server: Server): Promise<boolean> {
		const answer = await this.device.send(server, "/api/inverter/fota/rollback-status");
		const { rollback, order_id: rollbackOrderId } = answer.json();
		if (!rollback) return false;
		const { version } = this;
		this.version = "1.0.0";
		const hash = this.#hash;
		const target = hash === undefined ? undefined : { version, hash };
		await this.#rollBack(server, target, "rollback-requested", rollbackOrderId);
		return true;
	}

	#hash: string | undefined;

	async #confirm(server: Server, target: { version: string; hash: string }): Promise<void> {
		this.version = target.version;
		this.slot = this.slot === "ota_0" ? "ota_1" : "ota_0";
		this.#hash = target.hash;
		await this.device.report(server, {
			...this.#running(),
			target,
			state: "COMPLETED",
			bootStatus: "boot_successful",
			isVerified: true,
		});
	}

	async #rollBack(
		server: Server,
		target: { version: string; hash: string } | undefined,
		code: "boot-crashed" | "rollback-requested",
		rollbackOrderId?: number,
	): Promise<void> {
		const error = { code, message: "it went back" };
		const resetReason = "panic";
		const report = { ...this.#running(), target, state: "ROLLBACK" as const, isRolledBack: true, error };
		await this.device.report(server, { ...report, bootStatus: "boot_failed", resetReason, rollbackOrderId });
	}

	#running() {
		return { version: this.version, slot: this.slot };
	}
}

export class RolloutRig extends ServerRig {
	readonly #tasks: (() => Promise<void>)[] = [];

	static async start(options: AppOptions = {}, releaseKey?: ReleaseKey): Promise<RolloutRig> {
		const tasks: (() => Promise<void>)[] = [];
		const every: AppOptions["every"] = (everyMs, task) => {
			if (everyMs === ROLLOUT_TASK_MS) tasks.push(task);
			return () => {};
		};
		const rig = await ServerRig.create({ every, ...options }, releaseKey);
		const made = new RolloutRig(rig, rig.releaseKey);
		made.#tasks.push(...tasks);
		apps.set(made.server, made.app);
		return made;
	}

	/** Lets time pass, then the rollout task run. */
	async pass(minutes = 0.5): Promise<void> {
		this.clock.nowMs += minutes * 60_000;
		for (const task of this.#tasks) await task();
	}

	/** Registered, and heard of once. */
	async fleet(count: number, prefix = "dev"): Promise<FleetDevice[]> {
		const devices: FleetDevice[] = [];
		for (let index = 0; index < count; index++) {
			const device = new FleetDevice(await this.device(`${prefix}-${String(index).padStart(3, "0")}`));
			await device.device.report(this.server);
			devices.push(device);
		}
		return devices;
	}

	/** Another board gets the name: registered anew, with a key of its own. */
	async replaceBoard(fleetDevice: FleetDevice): Promise<void> {
		const { deviceId, deviceType } = fleetDevice.device;
		const body = { device_id: deviceId, device_type: deviceType, new_key: true };
		const keyHex = (await this.post("/api/cloud/fota/devices", body)).json().device_key;
		fleetDevice.device = new TestDevice({ deviceId, deviceType, keyHex });
		fleetDevice.device.nonce = 1;
		fleetDevice.version = "1.0.0";
	}

	/** Publishes a release; its id and hash. */
	async release(version: string): Promise<{ id: number; hash: string }> {
		const image = await this.publish({ version });
		const { releases } = (await this.get(`/api/cloud/fota/releases?version=${version}`)).json();
		return { id: releases[0].id, hash: sha256(image) };
	}

	/** Makes and starts a rollout; its id. */
	async rollout(releaseId: number, more: object = {}): Promise<number> {
		const answer = await this.post("/api/rollouts", {
			name: "test",
			release_id: releaseId,
			target: { kind: "all" },
			...OPEN_PLAN,
			...more,
		});
		if (answer.statusCode !== 201) throw new Error(`rollout: ${answer.statusCode} ${answer.body}`);
		const { id } = answer.json();
		await this.act(id, "start");
		return id;
	}

	send(method: "PATCH" | "PUT", url: string, payload: object) {
		const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
		return this.server.inject({ method, url, headers, payload });
	}

	async act(id: number, action: string) {
		return this.post(`/api/rollouts/${id}/${action}`, { reason: "the test wants it" });
	}

	async state(id: number) {
		await this.app.idle();
		return (await this.get(`/api/rollouts/${id}`)).json();
	}
}
