// Where the firmware begins: reads the identity, builds every adapter, starts the updater. The only place that knows
// which implementation stands behind a port. Natives are constructed in functions, never at the top level: module
// bodies run when the image is built.

import keyValue from "embedded:storage/key-value";
import Timer from "timer";
import { describeCause } from "./adapters/cause.js";
import { SystemClock } from "./adapters/clock.js";
import { HttpCloud } from "./adapters/cloud.js";
import { NativeCryptoPort } from "./adapters/crypto.js";
import type { NativeCrypto } from "./adapters/derived-hmac.js";
import { ChipDevice } from "./adapters/device.js";
import { DeviceCredential } from "./adapters/device-credential.js";
import { ANSWER_HEADER_NAMES } from "./adapters/exchange.js";
import type { HttpClient } from "./adapters/http-client.js";
import { IdentityStore } from "./adapters/identity-store.js";
import { Nonces } from "./adapters/nonces.js";
import type { PushServer } from "./adapters/push-server.js";
import { CryptoRandom } from "./adapters/random.js";
import { SerialLog } from "./adapters/serial-log.js";
import { hostHeader } from "./adapters/server-address.js";
import { FlashSlots } from "./adapters/slots.js";
import { TextStateStore } from "./adapters/state-store.js";
import { TcpHttpClient } from "./adapters/tcp-http-client.js";
import { KeyValueTexts } from "./adapters/text-storage.js";
import { GuardedTimer } from "./adapters/timer.js";
import { createLedObservers } from "./composition/led.js";
import { createNetwork, type DeviceNetwork } from "./composition/network.js";
import { createPushServer } from "./composition/push.js";
import { FotaCrypto, HmacSha256, Sha256 } from "./native/fota-crypto.js";
import { FotaFlash } from "./native/fota-flash.js";
import { FotaSockets } from "./native/fota-sockets.js";
import { FotaSystem } from "./native/fota-system.js";
import type { Identity } from "./protocol/identity.js";
import { isVersion } from "./protocol/version.js";
import type { Cloud, Device, HealthCheck, Ports, Random, SlotInfo, UpdateProgress } from "./update/ports.js";
import { createUpdater } from "./update/runner.js";
import type { Updater } from "./update/updater.js";

const NAME = "xs-fota";
/** NVS namespace of nonces and state. */
const STORAGE_PATH = "fota";
/** The JavaScript task comes round at least this often. */
const HEARTBEAT_MS = 10_000;
/** Between two lines that say why nothing happens. */
const IDLE_NOTICE_MS = 10_000;
/** Reports are answered in a few hundred bytes; half the default saves a kilobyte. */
const REPORTS_RECEIVE_BYTES = 536;
/** Of an image whose description names none: any release is newer. */
const UNKNOWN_VERSION = "0.0.0";

interface Chip {
	readonly system: FotaSystem;
	readonly flash: FotaFlash;
	readonly clock: SystemClock;
	readonly log: SerialLog;
	readonly timer: GuardedTimer;
}

export type { HealthCheck, UpdateProgress };

/** What a firmware adds of its own; its entry module calls main with it. */
export interface Application {
	/** All must be healthy before a new firmware is confirmed. Asked once a second during the trial. Default: none. */
	readonly healthChecks?: readonly HealthCheck[];
	/**
	 * True while an update would disturb: asked before a download begins and before the restart, never in between. Default:
	 * never busy. Without bound: a device that is always busy is never updated.
	 */
	readonly isBusy?: () => boolean;
	/** How an update goes: at each state, and at each 5 % of an image. Must not block. */
	readonly onProgress?: (progress: UpdateProgress) => void;
}

export default function main(application: Application = {}): void {
	// Without it a wait of almost the watchdog's limit, which Moddable does not cut short, ends in a restart
	// (CONFIG_ESP_TASK_WDT_TIMEOUT_S in sdkconfig; modMessageService in the SDK's xsHost.c).
	Timer.set(() => {}, HEARTBEAT_MS, HEARTBEAT_MS);
	begin(openChip(), application);
}

/** Without identity, or with one it cannot use, the device says so again and again and does nothing else. */
function begin(chip: Chip, application: Application): void {
	let built: Built;
	try {
		const identity = new IdentityStore(chip).read();
		if (identity === undefined) throw new Error("no identity: provision this device (fota provision)");
		built = build(chip, identity, application);
	} catch (cause) {
		chip.log.write("error", `cannot start: ${describeCause(cause)}`);
		chip.timer.set(() => beginAgain(chip, application), IDLE_NOTICE_MS);
		return;
	}
	const { updater, network, push } = built;
	updater.start();
	network.start(push === undefined ? [updater] : [updater, push]);
}

function beginAgain(chip: Chip, application: Application): void {
	leaveTrial(chip);
	begin(chip, application);
}

/**
 * A new image that cannot even build its updater would never be confirmed nor given up by it: the image before it,
 * which could, takes over. Does not return then.
 */
function leaveTrial(chip: Chip): void {
	try {
		const slots = new FlashSlots({ flash: chip.flash, rollbackTo: "previous" });
		if (slots.isOnTrial()) slots.rollBack();
	} catch (cause) {
		chip.log.write("error", describeCause(cause));
	}
}

function openChip(): Chip {
	const system = new FotaSystem();
	const clock = new SystemClock(system);
	const log = new SerialLog({ system, clock });
	return { system, clock, log, timer: new GuardedTimer({ timer: Timer, log }), flash: new FotaFlash() };
}

interface Built {
	readonly updater: Updater;
	readonly network: DeviceNetwork;
	/** Undefined where the device is told not to take pushes. */
	readonly push: PushServer | undefined;
}

function build(chip: Chip, identity: Identity, application: Application): Built {
	const { clock, log, timer } = chip;
	const { settings } = identity;
	const slots = new FlashSlots({ flash: chip.flash, rollbackTo: settings.rollbackTo });
	const running = slots.running();
	const device = new ChipDevice({
		system: chip.system,
		deviceType: identity.deviceType,
		version: versionOf(running),
		beforeRestart: () => network.stop(),
		rssiDbm: () => network.rssiDbm(),
	});
	const trial = slots.isOnTrial() ? `, on trial ${running.trialBoots} of ${slots.trialBootsMax()}` : "";
	log.write("info", banner({ device, running, idfVersion: chip.system.idfVersion() }) + trial);
	const native = { functions: new FotaCrypto(), Sha256, HmacSha256 };
	const random = new CryptoRandom(native.functions);
	const storage = new KeyValueTexts({ module: keyValue, path: STORAGE_PATH });
	const sockets = new FotaSockets();
	const network = createNetwork({ identity, device, sockets, clock, timer, random, log });
	const ports: Ports = {
		clock,
		timer,
		random,
		log,
		slots,
		crypto: new NativeCryptoPort({ native, ...identity }),
		cloud: openCloud({ chip, identity, device, native, random, storage, network }),
		store: new TextStateStore({ storage, log }),
		device,
		healthChecks: application.healthChecks ?? [],
		isBusy: application.isBusy,
		observers: [
			...createLedObservers({ settings: identity.led, chip: device.chip, timer, log }),
			...(application.onProgress ? [{ updateMoved: application.onProgress }] : []),
		],
	};
	const updater = createUpdater(ports, settings);
	const push =
		identity.push === false
			? undefined
			: createPushServer({ ...chip, identity, native, sockets, target: updater });
	return { updater, network, push };
}

function versionOf(running: SlotInfo): string {
	return running.version !== undefined && isVersion(running.version) ? running.version : UNKNOWN_VERSION;
}

interface BannerOptions {
	readonly device: Device;
	readonly running: SlotInfo;
	readonly idfVersion: string;
}

function banner(options: BannerOptions): string {
	const { device, running, idfVersion } = options;
	return `${NAME} ${device.version} in ${running.label} on ${device.chip}, IDF ${idfVersion}, start: ${device.resetReason}`;
}

interface CloudOptions {
	readonly chip: Chip;
	readonly identity: Identity;
	readonly device: Device;
	readonly native: NativeCrypto;
	readonly random: Random;
	readonly storage: KeyValueTexts;
	readonly network: DeviceNetwork;
}

function openCloud(options: CloudOptions): Cloud {
	const { chip, identity, device, native, random, storage, network } = options;
	const { log, timer } = chip;
	const { deviceId, deviceKey, server } = identity;
	const nonces = new Nonces({ storage, random, log });
	const openHttp = (receive: { readonly receiveBytes?: number }): HttpClient =>
		new TcpHttpClient({
			...receive,
			stack: network.tcp,
			server: { address: server.host, port: server.port },
			timer: Timer,
			host: hostHeader(server.host, server.port),
			headerNames: ANSWER_HEADER_NAMES,
			onUncaught: (cause) => log.write("error", `after an answer: ${describeCause(cause)}`),
		});
	return new HttpCloud({
		openTalk: () => openHttp({}),
		openReports: () => openHttp({ receiveBytes: REPORTS_RECEIVE_BYTES }),
		credential: new DeviceCredential({ native, deviceId, deviceKey, nonces }),
		timer,
		deviceType: device.deviceType,
		chip: device.chip,
	});
}
