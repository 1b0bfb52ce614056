// Where the firmware begins: reads the identity, builds every adapter, starts the updater. The only place that knows
// which implementation stands behind a port. Natives are constructed in functions, never at the top level: module
// bodies run when the image is built.

import TCP from "embedded:io/socket/tcp";
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
import { CryptoRandom } from "./adapters/random.js";
import { SerialLog } from "./adapters/serial-log.js";
import { hostHeader, numericAddress } from "./adapters/server-address.js";
import { FlashSlots } from "./adapters/slots.js";
import { TextStateStore } from "./adapters/state-store.js";
import { TcpHttpClient } from "./adapters/tcp-http-client.js";
import { KeyValueTexts } from "./adapters/text-storage.js";
import { GuardedTimer } from "./adapters/timer.js";
import { FotaCrypto, HmacSha256, Sha256 } from "./native/fota-crypto.js";
import { FotaFlash } from "./native/fota-flash.js";
import { FotaSystem } from "./native/fota-system.js";
import type { Identity } from "./protocol/identity.js";
import { isVersion } from "./protocol/version.js";
import type { Cloud, Device, HealthCheck, Ports, Random, SlotInfo } from "./update/ports.js";
import { createUpdater, type Updater } from "./update/runner.js";

const NAME = "xs-fota";
/** NVS namespace of nonces and state. */
const STORAGE_PATH = "fota";
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

/** What a firmware adds of its own; its entry module calls main with it. */
export interface Application {
	/** All must be healthy before a new firmware is confirmed. Asked once a second during the trial. Default: none. */
	readonly healthChecks?: readonly HealthCheck[];
}

export default function main(application: Application = {}): void {
	begin(openChip(), application);
}

/** Without identity, or with one it cannot use, the device says so again and again and does nothing else. */
function begin(chip: Chip, application: Application): void {
	let updater: Updater;
	try {
		const identity = new IdentityStore(chip).read();
		if (identity === undefined) throw new Error("no identity: provision this device (fota provision)");
		updater = buildUpdater(chip, identity, application);
	} catch (cause) {
		chip.log.write("error", `cannot start: ${describeCause(cause)}`);
		chip.timer.set(() => beginAgain(chip, application), IDLE_NOTICE_MS);
		return;
	}
	updater.start();
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

function buildUpdater(chip: Chip, identity: Identity, application: Application): Updater {
	const { clock, log, timer } = chip;
	const { settings } = identity;
	const slots = new FlashSlots({ flash: chip.flash, rollbackTo: settings.rollbackTo });
	const running = slots.running();
	const device = new ChipDevice({
		system: chip.system,
		deviceType: identity.deviceType,
		version: versionOf(running),
	});
	const trial = slots.isOnTrial() ? `, on trial ${running.trialBoots} of ${slots.trialBootsMax()}` : "";
	log.write("info", banner({ device, running, idfVersion: chip.system.idfVersion() }) + trial);
	const native = { functions: new FotaCrypto(), Sha256, HmacSha256 };
	const random = new CryptoRandom(native.functions);
	const storage = new KeyValueTexts({ module: keyValue, path: STORAGE_PATH });
	const ports: Ports = {
		clock,
		timer,
		random,
		log,
		slots,
		crypto: new NativeCryptoPort({ native, ...identity }),
		cloud: openCloud({ chip, identity, device, native, random, storage }),
		store: new TextStateStore({ storage, log }),
		device,
		healthChecks: application.healthChecks ?? [],
	};
	return createUpdater(ports, settings);
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
}

function openCloud(options: CloudOptions): Cloud {
	const { chip, identity, device, native, random, storage } = options;
	const { log, timer } = chip;
	const { deviceId, deviceKey, server } = identity;
	const address = numericAddress(server.host);
	if (address === undefined)
		throw new Error(`server ${server.host}: names are not resolved yet, provision its IPv4 address`);
	const nonces = new Nonces({ storage, random, log });
	const openHttp = (receive: { readonly receiveBytes?: number }): HttpClient =>
		new TcpHttpClient({
			...receive,
			socket: { io: TCP, address, port: server.port },
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
