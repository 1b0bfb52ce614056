// What the device says of itself to whoever asks on the local network: running and boot slot, versions, states. Used by
// push-exchange. It must not know HTTP. Nothing secret is in it.

import type { FotaFlash } from "../native/fota-flash.js";
import type { FotaSystem } from "../native/fota-system.js";
import { FotaError } from "../protocol/error-codes.js";
import { IMAGE_PREAMBLE_BYTES, type ImagePreamble, parseImagePreamble } from "../protocol/esp-image.js";
import type { DeviceInformation, SlotInformation } from "../protocol/push.js";
import type { StatusReport } from "../protocol/status-report.js";
import { slotStateName } from "./slots.js";

const FACTORY = -1;

export interface DeviceInformationOptions {
	readonly flash: FotaFlash;
	readonly system: Pick<FotaSystem, "idfVersion">;
	readonly deviceId: string;
}

export class InformationSource {
	readonly #options: DeviceInformationOptions;
	readonly #preamble = new Uint8Array(IMAGE_PREAMBLE_BYTES);

	constructor(options: DeviceInformationOptions) {
		this.#options = options;
	}

	/** `report`: as the device would send it now. Throws what the flash throws. */
	read(report: StatusReport, challenge: string): DeviceInformation {
		const { flash, system, deviceId } = this.#options;
		const { target, chunksReceived, chunkCount } = report;
		const running = flash.running();
		const boot = flash.boot();
		return {
			deviceId,
			deviceType: report.deviceType,
			chip: report.chip,
			version: report.version,
			builtAt: this.#image(running)?.builtAt || undefined,
			idfVersion: system.idfVersion(),
			sdkVersion: undefined,
			running: flash.label(running),
			boot: flash.label(boot),
			warning: this.#warning(report),
			isOnTrial: flash.isOnTrial(),
			slots: this.#slots(running, boot),
			state: report.state,
			progress:
				target && chunkCount ? { ...target, chunksReceived: chunksReceived ?? 0, chunkCount } : undefined,
			error: report.error,
			uptimeSeconds: report.uptimeSeconds,
			challenge,
		};
	}

	#warning(report: StatusReport): string | undefined {
		const { flash } = this.#options;
		const running = flash.label(flash.running());
		const boot = flash.label(flash.boot());
		if (!flash.hasBootloaderRollback()) return "the bootloader has no rollback: updates are refused";
		if (running === boot) return undefined;
		if (report.state === "REBOOTING") return `restarts into ${boot}`;
		return `the boot records name ${boot}, but ${running} runs`;
	}

	#slots(running: number, boot: number): SlotInformation[] {
		const indexes = Array.from({ length: this.#options.flash.slotCount() }, (_, index) => index);
		if (running === FACTORY || boot === FACTORY) indexes.unshift(FACTORY);
		return indexes.map((index) => this.#slot(index));
	}

	#slot(index: number): SlotInformation {
		const { flash } = this.#options;
		return {
			label: flash.label(index),
			state: slotStateName(flash.state(index)),
			version: this.#image(index)?.version || undefined,
			sizeBytes: flash.sizeBytes(index),
		};
	}

	/** Undefined where no image begins. */
	#image(index: number): ImagePreamble | undefined {
		this.#options.flash.read(index, 0, this.#preamble, 0, IMAGE_PREAMBLE_BYTES);
		try {
			return parseImagePreamble(this.#preamble);
		} catch (cause) {
			if (cause instanceof FotaError && cause.code === "image-invalid") return undefined;
			throw cause;
		}
	}
}
