// The demo's parts, all real: a server on an SQLite file, a release key, images, a provisioned board, a device running
// on it, all in build/demo/. Called by demo.ts.
import { appendFileSync, createWriteStream } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readBootRecords, readSlotVersion } from "../../cli/image/boot-records.js";
import { buildFirmware } from "../../cli/image/firmware-build.js";
import { buildFlash } from "../../cli/image/flash-image.js";
import { BUILD_ROOT, PROJECT_ROOT } from "../../cli/image/project-root.js";
import { createReleaseKey, type ReleaseKey, saveReleaseKey } from "../../cli/release/release-key.js";
import { signRelease } from "../../cli/release/sign-release.js";
import { ServerClient } from "../../cli/server/server-client.js";
import { SimulatorProcess } from "../../cli/simulator/simulator-process.js";
import { type App, createApp } from "../../server/app.js";
import { hexEncode } from "../../src/protocol/encoding.js";
import { DEFAULT_SETTINGS } from "../../src/protocol/identity.js";

export const FOLDER = join(BUILD_ROOT, "demo");
export const DEVICE_ID = "demo-board";
export const DEVICE_TYPE = "demo-sensor";
/** The size of a real application with everything in it. */
const IMAGE_BYTES = 1040 * 1024;
const BROKEN_ENTRY = join(PROJECT_ROOT, "host-tests", "firmware", "aborts-after-five-seconds.ts");
/** The device asks every ten seconds of its own time, which runs faster than ours while it waits. */
const SETTINGS = { ...DEFAULT_SETTINGS, pollSeconds: 10, reportSeconds: 1, confirmSeconds: 120 };
const WALL_MAX_SECONDS = 300;

export interface Release {
	readonly version: string;
	readonly image: Uint8Array;
	readonly statement: string;
}

export class Stage {
	readonly key: ReleaseKey;
	readonly client: ServerClient;
	readonly url: URL;
	readonly flashPath = join(FOLDER, "board.flash");
	/** What the device said, and at the end what the simulator said beside it. */
	readonly serialLines: string[] = [];
	readonly #app: App;
	#device: SimulatorProcess | undefined;

	static async open(): Promise<Stage> {
		await rm(FOLDER, { recursive: true, force: true });
		await mkdir(FOLDER, { recursive: true });
		const app = await createApp({
			dataDirectory: join(FOLDER, "data"),
			logStream: createWriteStream(join(FOLDER, "server.log")),
			stopTimeoutMs: 2000,
		});
		const key = createReleaseKey();
		await saveReleaseKey(key, join(FOLDER, "keys"));
		return new Stage(app, new URL(await app.listen()), key);
	}

	private constructor(app: App, url: URL, key: ReleaseKey) {
		this.#app = app;
		this.url = url;
		this.key = key;
		this.client = new ServerClient({ url, token: app.adminToken });
	}

	/** Version 1.0.0 or 1.1.0 is as it should be; `isBroken` aborts five seconds after boot. */
	async makeRelease(version: string, options: { readonly isBroken?: boolean } = {}): Promise<Release> {
		const entryFile = options.isBroken ? BROKEN_ENTRY : undefined;
		const { image } = await buildFirmware({ version, sizeBytes: IMAGE_BYTES, entryFile });
		return { version, image, statement: signRelease(image, { deviceType: DEVICE_TYPE }, this.key) };
	}

	async publish(release: Release): Promise<void> {
		await this.client.registerReleaseKey(hexEncode(this.key.publicKey));
		await this.client.publish({ image: release.image, release: release.statement });
	}

	/** Writes the flash file of a new board with this firmware. */
	async provision(release: Release): Promise<void> {
		const keyHex = await this.client.registerDevice({ deviceId: DEVICE_ID, deviceType: DEVICE_TYPE });
		const identity = {
			deviceId: DEVICE_ID,
			deviceKey: Buffer.from(keyHex, "hex"),
			deviceType: DEVICE_TYPE,
			releaseKeys: [this.key.publicKey],
			server: { host: "127.0.0.1", port: Number(this.url.port) },
			settings: SETTINGS,
		};
		await writeFile(this.flashPath, buildFlash({ identity, image: release.image }), { mode: 0o600 });
	}

	async powerUp(onLine: (line: string) => void): Promise<SimulatorProcess> {
		this.#device = await SimulatorProcess.start({
			flash: this.flashPath,
			maxWallSeconds: WALL_MAX_SECONDS,
			onLine: (line) => {
				this.#keepSerial(line);
				onLine(line);
			},
		});
		return this.#device;
	}

	// At once, so that it is whole however the demo ends.
	#keepSerial(line: string): void {
		this.serialLines.push(line);
		appendFileSync(join(FOLDER, "serial.log"), `${line}\n`);
	}

	/** What the chip itself would find at its next start. */
	async readFlash(): Promise<FlashFindings> {
		const flash = await readFile(this.flashPath);
		const { active, records } = readBootRecords(flash);
		const other = active === "ota_0" ? "ota_1" : "ota_0";
		return {
			slot: active,
			state: records.find(({ slot }) => slot === active)?.state ?? "none",
			version: readSlotVersion(flash, active),
			otherState: records.find(({ slot }) => slot === other)?.state ?? "none",
			otherVersion: readSlotVersion(flash, other),
		};
	}

	async close(): Promise<void> {
		const result = await this.#device?.stop();
		for (const line of result?.stderr.split("\n").filter(Boolean) ?? []) this.#keepSerial(line);
		await this.#app.close();
	}
}

export interface FlashFindings {
	readonly slot: string;
	readonly state: string;
	/** Of the whole, checked image in the active slot. */
	readonly version: string | undefined;
	readonly otherState: string;
	readonly otherVersion: string | undefined;
}
