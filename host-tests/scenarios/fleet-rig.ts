// A fleet of simulated devices side by side, each a process of its own on the real XS engine, and rollouts over it. The
// server's regular work is done when the test says so; its clock runs ahead by as much. Used by the scenarios of rollouts.
// What a device runs is told by its flash and its serial line, never by the server.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { readSlotVersion } from "../../cli/image/boot-records.js";
import { buildFlash, smallPartitions } from "../../cli/image/flash-image.js";
import type { AppOptions } from "../../server/app.js";
import { ROLLOUT_TASK_MS } from "../../server/stores/rollout-task.js";
import type { Settings } from "../../src/protocol/identity.js";
import {
	DEVICE_TYPE,
	identityFor,
	type Release,
	type ReleaseOptions,
	Rig,
	TestDevice,
} from "../support/rig.js";

/** Virtual seconds in a real one while a device has nothing to do: fifty that only jumped would take all there is. */
const PACE = 10;
const SLOT_BYTES = 7 * 65_536;
/** The clock runs ahead by half a minute at each look: silence is not what is shown here. */
const NEVER_MS = 365 * 86_400_000;
/** Until what is waited for: some minutes, on a machine that has other things to do. */
const PATIENCE_MS = 1_200_000;
const LOOK_EVERY_MS = 250;
const DRAFTS_MAX = 200;

// A download takes three pauses of 5 s, so that places are held for a while.
const SETTINGS: Partial<Settings> = {
	pollSeconds: 60,
	reportSeconds: 5,
	chunkBytes: 32_768,
	chunksPerInterval: 2,
	intervalMs: 5000,
	confirmSeconds: 600,
};

export interface Plan {
	readonly waves: readonly { readonly share_percent: number; readonly min_success_percent: number }[];
	readonly stop_rule?: object;
	readonly on_stop?: "pause" | "roll_back";
	readonly max_concurrent_downloads?: number;
}

export interface Draft {
	readonly id: number;
	/** Device ids by wave. */
	readonly waves: readonly (readonly string[])[];
}

// biome-ignore lint/suspicious/noExplicitAny: answers are described in the OpenAPI document
export type Answer = any;

export class Fleet {
	readonly rig: Rig;
	readonly members = new Map<string, FleetMember>();
	readonly #keys = new Map<string, string>();
	readonly #clock: { aheadMs: number };
	readonly #tasks: readonly (() => Promise<void>)[];

	/** Registers the devices; they are off and have no flash yet. */
	static async open(deviceCount: number): Promise<Fleet> {
		const clock = { aheadMs: 0 };
		const tasks: (() => Promise<void>)[] = [];
		const every: AppOptions["every"] = (everyMs, task) => {
			if (everyMs === ROLLOUT_TASK_MS) tasks.push(task);
			return () => {};
		};
		const rig = await Rig.open({
			app: { every, nowMs: () => Date.now() + clock.aheadMs, silentAfterMs: NEVER_MS },
		});
		const fleet = new Fleet(rig, clock, tasks);
		for (let index = 0; index < deviceCount; index++) await fleet.#register(`unit-${index}`);
		return fleet;
	}

	private constructor(rig: Rig, clock: { aheadMs: number }, tasks: readonly (() => Promise<void>)[]) {
		this.rig = rig;
		this.#clock = clock;
		this.#tasks = tasks;
	}

	async #register(deviceId: string): Promise<void> {
		const device = { deviceId, deviceType: DEVICE_TYPE, chip: "esp32" } as const;
		this.#keys.set(deviceId, await this.rig.client.registerDevice(device));
	}

	get all(): FleetMember[] {
		return [...this.members.values()];
	}

	of(deviceIds: readonly string[]): FleetMember[] {
		return this.all.filter(({ id }) => deviceIds.includes(id));
	}

	async publish(version: string, options: ReleaseOptions = {}): Promise<{ id: number; release: Release }> {
		const release = await this.rig.publish(version, options);
		const { releases } = await this.get(`/api/cloud/fota/releases?version=${version}`);
		return { id: releases[0].id, release };
	}

	/** Writes a flash for each device and powers them up, some at a time. `hostnameOf` is what a board is known by. */
	async powerUp(release: Release, hostnameOf: (deviceId: string) => string): Promise<void> {
		onTestFinished(() => this.powerDown(), 120_000);
		for (const [deviceId, keyHex] of this.#keys) {
			const surroundings = { push: false, hostname: hostnameOf(deviceId) };
			const known = identityFor(
				{ id: deviceId, port: this.rig.port, settings: SETTINGS, surroundings },
				this.rig.key,
			);
			const identity = { ...known, deviceKey: Buffer.from(keyHex, "hex") };
			const path = join(this.rig.folder, `${deviceId}.flash`);
			const partitions = smallPartitions(SLOT_BYTES);
			await writeFile(path, buildFlash({ identity, image: release.image, partitions }));
			const member = new FleetMember(new TestDevice(path, identity, "esp32"));
			this.members.set(deviceId, member);
			await member.powerUp();
		}
	}

	async powerDown(): Promise<void> {
		await Promise.all(this.all.map(({ device }) => device.stop()));
	}

	async get(url: string): Promise<Answer> {
		return (await this.#inject("GET", url)).json();
	}

	async metrics(): Promise<string> {
		return (await this.#inject("GET", "/metrics")).body;
	}

	async #inject(method: "GET" | "POST" | "DELETE", url: string, payload?: object) {
		const headers = { authorization: `Bearer ${this.rig.app.adminToken}` };
		const answer = await this.rig.app.fastify.inject({ method, url, headers, ...(payload && { payload }) });
		if (answer.statusCode >= 300) throw new Error(`${method} ${url}: ${answer.statusCode} ${answer.body}`);
		return answer;
	}

	/** Drawn anew until the waves are of a use: each rollout has a seed of its own. */
	async draft(
		releaseId: number,
		plan: Plan,
		isOfUse: (waves: Draft["waves"]) => boolean = () => true,
	): Promise<Draft> {
		const waves = plan.waves.map((wave) => ({ min_wait_minutes: 0, min_finished_count: 1_000_000, ...wave }));
		const retry = { max_attempts: 5, delay_minutes: 0 };
		const head = { name: "to the fleet", release_id: releaseId, target: { kind: "all" } };
		for (let count = 0; count < DRAFTS_MAX; count++) {
			const { id } = (await this.#inject("POST", "/api/rollouts", { ...head, retry, ...plan, waves })).json();
			const preview = await this.get(`/api/rollouts/${id}/preview`);
			const drawn = preview.waves.map((wave: { device_ids: string[] }) => wave.device_ids);
			if (isOfUse(drawn)) return { id, waves: drawn };
			await this.#inject("DELETE", `/api/rollouts/${id}`);
		}
		throw new Error(`no waves of use in ${DRAFTS_MAX} drafts`);
	}

	async act(rolloutId: number, action: "start" | "abort"): Promise<void> {
		await this.#inject("POST", `/api/rollouts/${rolloutId}/${action}`, { reason: "the scenario wants it" });
	}

	async rollout(rolloutId: number): Promise<Answer> {
		await this.rig.app.idle();
		return this.get(`/api/rollouts/${rolloutId}`);
	}

	/** The work that comes round every half minute. */
	async pass(): Promise<void> {
		this.#clock.aheadMs += ROLLOUT_TASK_MS;
		for (const task of this.#tasks) await task();
	}

	/** Looks until `isSo`; what the answer was when patience ended is in the error. */
	async until<T>(look: () => T | Promise<T>, isSo: (seen: T) => boolean): Promise<T> {
		for (const end = Date.now() + PATIENCE_MS; ; await sleep(LOOK_EVERY_MS)) {
			const seen = await look();
			if (isSo(seen)) return seen;
			if (Date.now() > end) throw new Error(`waited in vain, last seen: ${JSON.stringify(seen)}`);
		}
	}
}

/** One device and all it ever said. */
export class FleetMember {
	readonly device: TestDevice;
	readonly lines: string[] = [];
	/** Called with each line, as it comes. */
	onLine: (line: string) => void = () => {};

	constructor(device: TestDevice) {
		this.device = device;
	}

	get id(): string {
		return this.device.identity.deviceId;
	}

	async powerUp(): Promise<void> {
		await this.device.start({
			variant: "release",
			args: ["--pace", String(PACE)],
			maxWallSeconds: 7200,
			onLine: (line) => {
				this.lines.push(line);
				this.onLine(line);
			},
		});
	}

	/** How often it said so, from a line on. */
	count(text: string, from = 0): number {
		return this.lines.slice(from).filter((line) => line.includes(text)).length;
	}

	/** Whether it began to download that version. */
	hasGot(version: string): boolean {
		return this.count(`state DOWNLOADING ${version}`) > 0;
	}

	/** Of the last boot. */
	get running(): string | undefined {
		const banners = this.lines.map((line) => /fota: xs-fota (\S+) in /.exec(line)?.[1]);
		return banners.filter((version) => version !== undefined).at(-1);
	}

	/** What the flash boots next, and what lies in the other slot. */
	async flash(): Promise<{
		slot: string;
		state: string;
		version: string | undefined;
		other: string | undefined;
	}> {
		const boots = await this.device.boots();
		const spare = boots.slot === "ota_0" ? "ota_1" : "ota_0";
		return { ...boots, other: readSlotVersion(await this.device.readFlash(), spare) };
	}
}
