// A whole device on fakes: flash, boot records, storage and supply outlive its starts; each start is a new updater on
// new ports, as the chip would have it. What a firmware is like is said by its version.
import { parseImagePreamble } from "../../src/protocol/esp-image.js";
import { DEFAULT_SETTINGS, type Settings } from "../../src/protocol/identity.js";
import type { HealthCheck, LogLevel, Ports } from "../../src/update/ports.js";
import { createUpdater } from "../../src/update/runner.js";
import type { Updater } from "../../src/update/updater.js";
import { FakeCloud, FakeServer } from "./fake-cloud.js";
import { FakeCrypto } from "./fake-crypto.js";
import { fakeImage } from "./fake-image.js";
import { ManualTime } from "./manual-time.js";
import { NorSlots } from "./nor-slots.js";
import { Power } from "./power.js";
import { PoweredStore } from "./powered-store.js";
import { seededRandom } from "./seeded-random.js";

/** What a firmware of some version does. */
export interface Behaviour {
	/** Aborts that long after each start. */
	readonly crashesAtMs?: number;
	readonly healthChecks?: readonly HealthCheck[];
	readonly isBusy?: () => boolean;
	/** Does not reach the server. */
	readonly isOffline?: boolean;
}

export class FakeDevice {
	readonly power = new Power();
	readonly server = new FakeServer();
	readonly slots: NorSlots;
	settings: Settings = { ...DEFAULT_SETTINGS, chunkBytes: 16_384 };
	behaviours: Record<string, Behaviour> = {};
	readonly store = new PoweredStore(this.power);
	readonly log: string[] = [];
	/** Versions in the order in which they were started. */
	readonly starts: string[] = [];
	time = new ManualTime();
	cloud = new FakeCloud(this.server, this.time);
	updater: Updater | undefined;
	/** Reads "brick" when nothing boots. */
	isBricked = false;
	/** Longest wait with a socket open and nothing under way, per start. */
	resetReason = "poweron";
	hasErasedStorage = false;
	memoryMinBytes: number | undefined = 90_000;
	rssiDbm: number | undefined = -70;
	#isRestarting = false;

	constructor(options: { version?: string; slotBytes?: number } = {}) {
		this.slots = new NorSlots({
			power: this.power,
			sizeBytes: options.slotBytes ?? 0x80_000,
			onRestart: () => this.#restart("sw"),
		});
		this.slots.flash(fakeImage({ version: options.version ?? "1.0.0", sizeBytes: 20_480 }));
	}

	get version(): string {
		const image = this.slots.images[this.slots.runningIndex] ?? new Uint8Array();
		return parseImagePreamble(image).version;
	}

	get storedText(): string | undefined {
		return this.store.text;
	}

	set storedText(text: string | undefined) {
		this.store.text = text;
	}

	get stored(): Record<string, unknown> {
		return JSON.parse(this.storedText ?? "{}") as Record<string, unknown>;
	}

	/** A reset: bootloader, then the firmware found there. */
	boot(): void {
		this.power.isCut = false;
		this.#isRestarting = false;
		if (!this.slots.boot()) {
			this.isBricked = true;
			return;
		}
		this.starts.push(this.version);
		this.time = new ManualTime();
		this.cloud = new FakeCloud(this.server, this.time);
		const behaviour = this.behaviours[this.version] ?? {};
		if (behaviour.crashesAtMs !== undefined)
			this.time.set(() => this.#restart("panic"), behaviour.crashesAtMs);
		this.updater = createUpdater(this.#ports(behaviour), this.settings);
		this.updater.start();
	}

	/** Lets time pass through resets and power cuts, until `isDone` or the limit of simulated time. */
	run(limitMs: number, isDone: () => boolean = () => false): boolean {
		let leftMs = limitMs;
		if (this.updater === undefined) this.boot();
		while (leftMs > 0 && !this.isBricked) {
			if (this.power.isCut) {
				this.resetReason = "poweron";
				this.boot();
			} else if (this.#isRestarting) this.boot();
			if (isDone()) return true;
			const stepMs = this.time.nextMs ?? leftMs;
			leftMs -= Math.max(stepMs, 0.01);
			if (!this.time.fireNext()) return isDone();
			this.#expectNothingEscaped();
		}
		return isDone();
	}

	/** An update is over and told to the server. */
	isSettledOn(version: string): boolean {
		return (
			this.version === version &&
			this.updater?.state === "IDLE" &&
			!this.slots.isOnTrial() &&
			this.storedText !== undefined &&
			!/"kind"|"job"|"rollback"/.test(this.storedText)
		);
	}

	#expectNothingEscaped(): void {
		const [escaped] = this.time.escaped;
		if (escaped !== undefined && !this.power.isCut) throw escaped;
	}

	#restart(reason: string): void {
		this.resetReason = reason;
		this.#isRestarting = true;
		this.time.clearAll();
	}

	#ports(behaviour: Behaviour): Ports {
		const { time, slots, log } = this;
		const version = this.version;
		const server = behaviour.isOffline ? offlineServer() : this.server;
		const cloud = behaviour.isOffline ? new FakeCloud(server, time) : this.cloud;
		return {
			clock: time,
			timer: time,
			random: seededRandom(7),
			log: { write: (level: LogLevel, text: string) => void log.push(`${level} ${text}`) },
			slots,
			crypto: new FakeCrypto(),
			cloud,
			store: this.store,
			device: {
				deviceType: "inverter",
				chip: "esp32c3",
				version,
				resetReason: this.resetReason,
				hasErasedStorage: this.hasErasedStorage,
				memoryMinBytes: () => this.memoryMinBytes,
				rssiDbm: () => this.rssiDbm,
				restart: () => this.#restart("sw"),
			},
			healthChecks: behaviour.healthChecks ?? [],
			isBusy: behaviour.isBusy,
		};
	}
}

function offlineServer(): FakeServer {
	const server = new FakeServer();
	server.fault = () => "network-unavailable";
	return server;
}
