// A real server, a release key, and simulated devices for tests from end to end. Everything it starts and writes ends
// with the test. It knows how the parts are put together, not what they should do.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { onTestFinished } from "vitest";
import { readBootRecords, readSlotVersion } from "../../cli/image/boot-records.js";
import { buildFirmware, type FirmwareOptions } from "../../cli/image/firmware-build.js";
import { buildFlash, partitionBytes, smallPartitions } from "../../cli/image/flash-image.js";
import type { Partition } from "../../cli/image/partition-table.js";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { createReleaseKey, type ReleaseKey } from "../../cli/release/release-key.js";
import { describeRelease, type ReleaseTerms, signStatement } from "../../cli/release/sign-release.js";
import { type DeviceStatus, type LogEvent, ServerClient } from "../../cli/server/server-client.js";
import {
	runSimulator,
	SimulatorProcess,
	type SimulatorResult,
	type SimulatorRun,
} from "../../cli/simulator/simulator-process.js";
import { type App, type AppOptions, createApp } from "../../server/app.js";
import { hexEncode } from "../../src/protocol/encoding.js";
import { DEFAULT_SETTINGS, type Identity, type Settings } from "../../src/protocol/identity.js";
import type { ReleaseStatement } from "../../src/protocol/release-statement.js";
import type { Surroundings } from "../../src/protocol/surroundings.js";
import { type Meddler, MeddlingProxy } from "./meddling-proxy.js";

export const DEVICE_TYPE = "sensor";
/** Room for the firmware with 64 KiB to spare. */
const SLOT_BYTES = 7 * 65_536;
/** Polls and reports come fast; virtual time makes them cheap. */
const TEST_SETTINGS: Partial<Settings> = {
	pollSeconds: 10,
	reportSeconds: 5,
	chunkBytes: 16_384,
	confirmSeconds: 60,
};

/** Firmwares of host-tests/firmware/, and the sample application. */
export type Entry =
	| "normal"
	| "aborts-after-five-seconds"
	| "crashes-at-boot"
	| "hangs"
	| "fills-memory"
	| "never-healthy"
	| "fills-storage"
	| "busy-at-first"
	| "fails-on-revision-b"
	| "sensor";

export interface ReleaseOptions
	extends Omit<FirmwareOptions, "version" | "entryFile">,
		Partial<ReleaseTerms> {
	readonly entry?: Entry | undefined;
	/** Signed instead of the truth. */
	readonly claims?: Partial<ReleaseStatement> | undefined;
	/** Instead of the rig's. */
	readonly key?: ReleaseKey | undefined;
}

export interface Release {
	readonly version: string;
	readonly image: Uint8Array;
	readonly hash: string;
	readonly statement: ReleaseStatement;
	/** Compact JWS. */
	readonly jws: string;
}

/** An image and its statement; `claims` make a statement that lies. */
export async function makeRelease(
	key: ReleaseKey,
	version: string,
	options: ReleaseOptions = {},
): Promise<Release> {
	const { entry } = options;
	const folder = entry === "sensor" ? "examples/sensor" : "host-tests/firmware";
	const entryFile = entry && join(PROJECT_ROOT, folder, `${entry}.ts`);
	const { image, hash } = await buildFirmware({ ...options, version, entryFile });
	const truth = describeRelease(image, { ...options, deviceType: options.deviceType ?? DEVICE_TYPE });
	const statement = { ...truth, ...options.claims };
	return { version, image, hash, statement, jws: signStatement(statement, options.key ?? key) };
}

export interface RigOptions {
	readonly app?: AppOptions;
}

export interface DeviceOptions {
	/** Version in ota_0. Default 1.0.0. */
	readonly version?: string;
	readonly image?: Uint8Array;
	readonly settings?: Partial<Settings>;
	readonly partitions?: readonly Partition[];
	/** Which server it asks. Default: the rig's own. */
	readonly port?: number;
	/** Name or address at which it asks. Default: 127.0.0.1. */
	readonly host?: string;
	/** Its Wi-Fi, host name, LED, time server. Default: none. */
	readonly surroundings?: Surroundings;
	readonly id?: string;
	readonly releaseKeys?: readonly Uint8Array[];
	readonly chip?: FirmwareOptions["chip"];
}

export interface EventQuery {
	readonly log?: "fota" | "security";
	readonly type?: string;
	/** error_code in its details. */
	readonly code?: string;
	/** Version that was running. */
	readonly version?: string;
	/** Version it is about. */
	readonly target?: string;
	readonly timeoutMs?: number;
}

export class Rig {
	readonly key = createReleaseKey();
	readonly app: App;
	readonly client: ServerClient;
	readonly folder: string;
	readonly port: number;
	#deviceCount = 0;
	readonly #closers: (() => Promise<unknown>)[] = [];

	/** Closed when the test that calls this is over. */
	static async open(options: RigOptions = {}): Promise<Rig> {
		const app = await createApp({ logLevel: "silent", stopTimeoutMs: 500, ...options.app });
		const url = new URL(await app.listen());
		const rig = new Rig(app, url, await mkdtemp(join(tmpdir(), "xs-fota-rig-")));
		onTestFinished(() => rig.#close(), 120_000);
		await rig.client.registerReleaseKey(hexEncode(rig.key.publicKey));
		return rig;
	}

	private constructor(app: App, url: URL, folder: string) {
		this.app = app;
		this.client = new ServerClient({ url, token: app.adminToken });
		this.port = Number(url.port);
		this.folder = folder;
	}

	async makeRelease(version: string, options: ReleaseOptions = {}): Promise<Release> {
		return makeRelease(this.key, version, options);
	}

	async publish(version: string, options: ReleaseOptions = {}): Promise<Release> {
		const release = await this.makeRelease(version, options);
		await this.client.publish({ image: release.image, release: release.jws });
		return release;
	}

	/** A proxy before the server; devices provisioned with its port speak through it. */
	async proxy(meddle?: Meddler): Promise<MeddlingProxy> {
		const proxy = await MeddlingProxy.start({ upstreamPort: this.port, ...(meddle ? { meddle } : {}) });
		this.#closers.push(() => proxy.close());
		return proxy;
	}

	async device(options: DeviceOptions = {}): Promise<TestDevice> {
		const deviceId = options.id ?? `device-${++this.#deviceCount}`;
		const keyHex = await this.client.registerDevice({
			deviceId,
			deviceType: DEVICE_TYPE,
			chip: options.chip,
		});
		const identity = {
			...identityFor({ ...options, port: options.port ?? this.port }, this.key),
			deviceId,
			deviceKey: Buffer.from(keyHex, "hex"),
		};
		const image = options.image ?? (await this.makeRelease(options.version ?? "1.0.0", options)).image;
		const path = join(this.folder, `${deviceId}.flash`);
		await writeFile(
			path,
			buildFlash({ identity, image, partitions: options.partitions ?? smallPartitions(SLOT_BYTES) }),
		);
		const device = new TestDevice(path, identity, options.chip ?? "esp32");
		this.#closers.push(() => device.stop());
		return device;
	}

	status(device: TestDevice): Promise<DeviceStatus> {
		return this.client.status(device.identity.deviceId);
	}

	/** All events of a device in a log, oldest first. */
	async events(device: TestDevice, log: "fota" | "security" = "fota"): Promise<LogEvent[]> {
		return this.client.events({ log, deviceId: device.identity.deviceId, after: 0, limit: 500 });
	}

	/** Waits in real time for an event of a device in a log, and returns it. */
	async waitForEvent(device: TestDevice, wanted: EventQuery): Promise<LogEvent> {
		const end = Date.now() + (wanted.timeoutMs ?? 120_000);
		for (;;) {
			const events = await this.events(device, wanted.log);
			const found = events.find(
				({ type, details }) =>
					(wanted.type === undefined || type === wanted.type) &&
					(wanted.code === undefined || details.error_code === wanted.code) &&
					(wanted.version === undefined || details.version === wanted.version) &&
					(wanted.target === undefined || details.target_version === wanted.target),
			);
			if (found) return found;
			if (Date.now() > end) {
				const seen = events.map(({ type, details }) => `${type} ${details.error_code ?? ""}`).join(", ");
				throw new Error(`no ${wanted.type ?? "event"} ${wanted.code ?? ""} in the log, only: ${seen}`);
			}
			await sleep(100);
		}
	}

	/** Ends the server, as when its machine goes down; devices get no answer. */
	async stopServer(): Promise<void> {
		await this.app.close();
	}

	async #close(): Promise<void> {
		for (const close of this.#closers.reverse()) await close();
		await this.app.close();
		await rm(this.folder, { recursive: true, force: true });
	}
}

/** An identity for a device that no server knows. */
export function identityFor(options: DeviceOptions & { readonly port: number }, key: ReleaseKey): Identity {
	return {
		deviceId: options.id ?? "device-0",
		deviceKey: new Uint8Array(32).fill(7),
		deviceType: DEVICE_TYPE,
		releaseKeys: options.releaseKeys ?? [key.publicKey],
		server: { host: options.host ?? "127.0.0.1", port: options.port },
		...options.surroundings,
		settings: { ...DEFAULT_SETTINGS, ...TEST_SETTINGS, ...options.settings },
	};
}

export type TestRun = Omit<SimulatorRun, "flash">;

/** A flash file and the device that runs on it. */
export class TestDevice {
	readonly flash: string;
	readonly identity: Identity;
	readonly chip: string;
	#process: SimulatorProcess | undefined;

	constructor(flash: string, identity: Identity, chip: string) {
		this.flash = flash;
		this.identity = identity;
		this.chip = chip;
	}

	/** Runs it until it ends, on the sanitized build unless said otherwise. */
	run(run: TestRun = {}): Promise<SimulatorResult> {
		return runSimulator(this.#complete(run));
	}

	async start(run: TestRun = {}): Promise<SimulatorProcess> {
		this.#process = await SimulatorProcess.start(this.#complete(run));
		return this.#process;
	}

	async stop(): Promise<void> {
		await this.#process?.stop();
	}

	#complete(run: TestRun): SimulatorRun {
		const args = ["--chip", this.chip, ...(run.args ?? [])];
		return { variant: "asan", ...run, flash: this.flash, args };
	}

	async readFlash(): Promise<Uint8Array> {
		return readFile(this.flash);
	}

	/** Erases NVS, as a worn-out or foreign one is when it cannot be opened. */
	async loseStorage(): Promise<void> {
		const flash = await this.readFlash();
		partitionBytes(flash, "nvs").fill(0xff);
		await writeFile(this.flash, flash);
	}

	/** Which slot boots next, in which state, with which version: what the chip itself would say. */
	async boots(): Promise<{ slot: string; state: string; version: string | undefined }> {
		const flash = await this.readFlash();
		const { active, records } = readBootRecords(flash);
		const state = records.find(({ slot }) => slot === active)?.state ?? "none";
		return { slot: active, state, version: readSlotVersion(flash, active) };
	}
}
