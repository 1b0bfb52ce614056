// Device over the chip: its name, why it started, how it restarts. Built by main. It must not know about updates.

import type { FotaSystem } from "../native/fota-system.js";
import { RSSI_MIN_DBM, UINT32_MAX } from "../protocol/limits.js";
import { CHIP_IDS, CHIPS, type Chip } from "../protocol/release-statement.js";
import type { Device } from "../update/ports.js";

/** esp_reset_reason_t of ESP-IDF 6.0 (esp_system.h) in its order: ESP_RST_* in lower case. */
const RESET_REASONS: readonly string[] = [
	"unknown",
	"poweron",
	"ext",
	"sw",
	"panic",
	"int_wdt",
	"task_wdt",
	"wdt",
	"deepsleep",
	"brownout",
	"sdio",
	"usb",
	"jtag",
	"efuse",
	"pwr_glitch",
	"cpu_lockup",
];

export interface ChipDeviceOptions {
	readonly system: Pick<
		FotaSystem,
		"resetReason" | "restart" | "chipId" | "wasStorageErased" | "freeHeapMinimumBytes"
	>;
	readonly deviceType: string;
	/** Version of the running firmware. */
	readonly version: string;
	/** Takes leave of the network. What it throws does not hold a restart up. */
	readonly beforeRestart?: () => void;
	/** Of the access point. What it throws, or what cannot be a signal strength, is none. Default: none. */
	readonly rssiDbm?: () => number | undefined;
}

export class ChipDevice implements Device {
	readonly deviceType: string;
	readonly chip: Chip;
	readonly version: string;
	readonly resetReason: string;
	readonly hasErasedStorage: boolean;
	readonly #system: Pick<FotaSystem, "restart" | "freeHeapMinimumBytes">;
	readonly #beforeRestart: (() => void) | undefined;
	readonly #rssiDbm: (() => number | undefined) | undefined;

	/** Throws on a chip that no release can be made for. */
	constructor(options: ChipDeviceOptions) {
		this.#system = options.system;
		this.#beforeRestart = options.beforeRestart;
		this.#rssiDbm = options.rssiDbm;
		this.deviceType = options.deviceType;
		this.version = options.version;
		this.chip = chipOf(options.system.chipId());
		this.resetReason = RESET_REASONS[options.system.resetReason()] ?? "unknown";
		this.hasErasedStorage = options.system.wasStorageErased();
	}

	memoryMinBytes(): number | undefined {
		try {
			return within(this.#system.freeHeapMinimumBytes(), 0, UINT32_MAX);
		} catch {
			// A report goes without it.
			return undefined;
		}
	}

	rssiDbm(): number | undefined {
		try {
			return within(this.#rssiDbm?.(), RSSI_MIN_DBM, 0);
		} catch {
			// Likewise.
			return undefined;
		}
	}

	restart(): void {
		try {
			this.#beforeRestart?.();
		} catch {
			// Whatever it was, it is over in a moment.
		}
		this.#system.restart();
	}
}

/** A whole number in range, else undefined: what no report can carry would keep all of it from being taken. */
function within(value: number | undefined, min: number, max: number): number | undefined {
	return value !== undefined && Number.isInteger(value) && value >= min && value <= max ? value : undefined;
}

function chipOf(chipId: number): Chip {
	const chip = CHIPS.find((name) => CHIP_IDS[name] === chipId);
	if (chip === undefined) throw new Error(`chip ${chipId} is none of ${CHIPS.join(", ")}`);
	return chip;
}
