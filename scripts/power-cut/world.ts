// What all runs of a sweep share: one real server, a release key, the firmwares, and a flash template a story. Each run gets
// a device of its own, so that no run knows of another. Opened and closed by power-cut.ts.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFirmware, type Firmware } from "../../cli/image/firmware-build.js";
import {
	buildFlash,
	buildIdentityPartition,
	findPartition,
	smallPartitions,
} from "../../cli/image/flash-image.js";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { createReleaseKey, type ReleaseKey } from "../../cli/release/release-key.js";
import { signRelease } from "../../cli/release/sign-release.js";
import { ServerClient } from "../../cli/server/server-client.js";
import { runSimulator, SimulatorProcess } from "../../cli/simulator/simulator-process.js";
import { type App, createApp } from "../../server/app.js";
import { hexEncode } from "../../src/protocol/encoding.js";
import { DEFAULT_SETTINGS, IDENTITY_PARTITION, type Identity } from "../../src/protocol/identity.js";
import type { Cut } from "./plan.js";
import { STORIES, type Story } from "./stories.js";

const CHUNK_BYTES = 16_384;
const SLOT_BLOCK_BYTES = 65_536;
/** Virtual time in which every story must have ended, cuts and back-offs included; else it is stuck. */
const MAX_VIRTUAL_SECONDS = 7200;
const MAX_WALL_SECONDS = 90;
const FIRMWARE = join(PROJECT_ROOT, "host-tests", "firmware");
const ABORTS = join(FIRMWARE, "aborts-after-five-seconds.ts");
const GIVES_UP = join(FIRMWARE, "never-healthy.ts");

export interface Device {
	readonly deviceId: string;
	readonly flashPath: string;
	/** Where its talk is recorded, once it was started. */
	readonly capturePath: string;
}

export class World {
	readonly client: ServerClient;
	/** Of the images that may ever boot, by version. */
	readonly hashes = new Map<string, string>();
	readonly #app: App;
	readonly #folder: string;
	readonly #port: number;
	readonly #key: ReleaseKey = createReleaseKey();
	readonly #templates = new Map<string, Uint8Array>();
	#deviceCount = 0;

	static async open(): Promise<World> {
		const app = await createApp({ logLevel: "silent", stopTimeoutMs: 500 });
		const url = new URL(await app.listen());
		const world = new World(app, url, await mkdtemp(join(tmpdir(), "xs-fota-power-cut-")));
		try {
			await world.#prepare();
			return world;
		} catch (error) {
			await world.close();
			throw error;
		}
	}

	private constructor(app: App, url: URL, folder: string) {
		this.#app = app;
		this.client = new ServerClient({ url, token: app.adminToken });
		this.#folder = folder;
		this.#port = Number(url.port);
	}

	async close(): Promise<void> {
		await this.#app.close();
		await rm(this.#folder, { recursive: true, force: true });
	}

	/** A new device at the start of a story; `remove` it when the run is over. */
	async device(story: Story): Promise<Device> {
		const template = this.#templates.get(story.name);
		if (template === undefined) throw new Error(`no template for ${story.name}`);
		const deviceId = `cut-${String(++this.#deviceCount).padStart(6, "0")}`;
		const flash = template.slice();
		const identity = buildIdentityPartition(await this.#register(deviceId, story));
		flash.set(identity, findPartition(partitionsFor(this.#slotBytes), IDENTITY_PARTITION).offsetBytes);
		const flashPath = join(this.#folder, `${deviceId}.flash`);
		await writeFile(flashPath, flash);
		if (story.isOrdered) await this.client.orderRollback(deviceId, "power-cut sweep");
		return { deviceId, flashPath, capturePath: join(this.#folder, `${deviceId}.capture`) };
	}

	async remove(device: Device): Promise<void> {
		await rm(device.flashPath, { force: true });
		await rm(device.capturePath, { force: true });
	}

	/** Ends by itself once the server knows the outcome; a cut right behind that needs a stop(). */
	start(
		device: Device,
		story: Story,
		run: { readonly cuts: readonly Cut[]; readonly seed: number },
	): Promise<SimulatorProcess> {
		const { cuts, seed } = run;
		const args = ["--seed", String(seed), "--max-seconds", String(MAX_VIRTUAL_SECONDS)];
		for (const { operation, moment } of cuts) args.push("--cut", `${operation}:${moment}`);
		return SimulatorProcess.start({
			flash: device.flashPath,
			capture: device.capturePath,
			args,
			until: [story.tells],
			maxWallSeconds: MAX_WALL_SECONDS,
		});
	}

	#slotBytes = 0;

	async #prepare(): Promise<void> {
		await this.client.registerReleaseKey(hexEncode(this.#key.publicKey));
		const [old, good, aborts, givesUp, next] = [
			await buildFirmware({ version: "1.0.0" }),
			await buildFirmware({ version: "1.1.0" }),
			await buildFirmware({ version: "1.2.0", entryFile: ABORTS }),
			await buildFirmware({ version: "1.2.0", entryFile: GIVES_UP }),
			await buildFirmware({ version: "1.3.0" }),
		];
		const longest = Math.max(...[old, good, aborts, givesUp, next].map(({ image }) => image.length));
		this.#slotBytes = Math.ceil(longest / SLOT_BLOCK_BYTES) * SLOT_BLOCK_BYTES;
		for (const [version, { hash }] of Object.entries({
			"1.0.0": old,
			"1.1.0": good,
			"1.2.0": aborts,
			"1.3.0": next,
		}))
			this.hashes.set(version, hash);
		await this.#publish(good, ["update", "rollback"]);
		await this.#publish(aborts, ["trial"]);
		await this.#publish(givesUp, ["retry"]);
		for (const story of STORIES) {
			const { image } = old;
			const identity = await this.#register(`template-${story.name}`, story);
			this.#templates.set(
				story.name,
				buildFlash({ identity, image, partitions: partitionsFor(this.#slotBytes) }),
			);
			if (story.beginsAt) await this.#play(story, story.beginsAt);
		}
		await this.#publish(next, ["retry"]);
	}

	/** A template device lives up to the line at which the story begins. */
	async #play(story: Story, until: string): Promise<void> {
		const flash = join(this.#folder, "template.flash");
		await writeFile(flash, this.#templates.get(story.name) ?? new Uint8Array(0));
		const { exitCode, log } = await runSimulator({ flash, until: [until], maxWallSeconds: MAX_WALL_SECONDS });
		if (exitCode !== 0) throw new Error(`the template of ${story.name} never came to "${until}":\n${log}`);
		// A copy of its own: slice() of a Buffer would share it between devices.
		this.#templates.set(story.name, new Uint8Array(await readFile(flash)));
	}

	async #publish(firmware: Firmware, deviceTypes: readonly string[]): Promise<void> {
		for (const deviceType of deviceTypes) {
			const release = signRelease(firmware.image, { deviceType }, this.#key);
			await this.client.publish({ image: firmware.image, release });
		}
	}

	async #register(deviceId: string, story: Story): Promise<Identity> {
		const keyHex = await this.client.registerDevice({ deviceId, deviceType: story.name });
		return {
			deviceId,
			deviceKey: Buffer.from(keyHex, "hex"),
			deviceType: story.name,
			releaseKeys: [this.#key.publicKey],
			server: { host: "127.0.0.1", port: this.#port },
			settings: { ...DEFAULT_SETTINGS, pollSeconds: 60, chunkBytes: CHUNK_BYTES },
		};
	}
}

function partitionsFor(slotBytes: number) {
	return smallPartitions(slotBytes);
}
