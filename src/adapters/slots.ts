// Slots over the native flash module. Built by main. It must not know why a slot is written or given up: it names
// states, finds versions, and turns what ESP-IDF refuses into our codes.

import { type FotaFlash, SlotState as NativeState } from "../native/fota-flash.js";
import { type ErrorCode, FotaError } from "../protocol/error-codes.js";
import { IMAGE_PREAMBLE_BYTES, parseImagePreamble } from "../protocol/esp-image.js";
import type { SlotInfo, SlotState, Slots } from "../update/ports.js";
import { toFotaError } from "./cause.js";

export interface FlashSlotsOptions {
	readonly flash: FotaFlash;
	/** Which image rollBack() prefers where both are good. */
	readonly rollbackTo: "previous" | "factory";
}

export class FlashSlots implements Slots {
	readonly #flash: FotaFlash;
	readonly #preferFactory: boolean;
	readonly #preamble = new Uint8Array(IMAGE_PREAMBLE_BYTES);

	constructor(options: FlashSlotsOptions) {
		this.#flash = options.flash;
		this.#preferFactory = options.rollbackTo === "factory";
	}

	running(): SlotInfo {
		try {
			return this.#info(this.#flash.running());
		} catch (cause) {
			throw refusal(cause, "running slot");
		}
	}

	spare(): SlotInfo {
		try {
			return this.#info(this.#flash.next());
		} catch (cause) {
			throw refusal(cause, "spare slot");
		}
	}

	isOnTrial(): boolean {
		try {
			return this.#flash.isOnTrial();
		} catch (cause) {
			throw refusal(cause, "boot records");
		}
	}

	trialBootsMax(): number {
		try {
			return this.#flash.trialBootsMax();
		} catch (cause) {
			throw refusal(cause, "boot records");
		}
	}

	hasBootloaderRollback(): boolean {
		try {
			return this.#flash.hasBootloaderRollback();
		} catch (cause) {
			throw refusal(cause, "boot records");
		}
	}

	prepare(): void {
		try {
			this.#flash.prepare(this.#flash.next());
		} catch (cause) {
			throw refusal(cause, "prepare");
		}
	}

	erase(offsetBytes: number, lengthBytes: number): void {
		try {
			this.#flash.erase(this.#flash.next(), offsetBytes, lengthBytes);
		} catch (cause) {
			throw refusal(cause, `erase ${lengthBytes} at ${offsetBytes}`);
		}
	}

	write(offsetBytes: number, buffer: Uint8Array, bufferOffset: number, byteCount: number): void {
		try {
			this.#flash.write(this.#flash.next(), offsetBytes, buffer, bufferOffset, byteCount);
		} catch (cause) {
			throw refusal(cause, `write ${byteCount} at ${offsetBytes}`);
		}
	}

	read(offsetBytes: number, buffer: Uint8Array, bufferOffset: number, byteCount: number): void {
		try {
			this.#flash.read(this.#flash.next(), offsetBytes, buffer, bufferOffset, byteCount);
		} catch (cause) {
			throw refusal(cause, `read ${byteCount} at ${offsetBytes}`);
		}
	}

	isErased(offsetBytes: number, lengthBytes: number): boolean {
		try {
			return this.#flash.isErased(this.#flash.next(), offsetBytes, lengthBytes);
		} catch (cause) {
			throw refusal(cause, `read ${lengthBytes} at ${offsetBytes}`);
		}
	}

	verifyImage(): number {
		try {
			return this.#flash.verify(this.#flash.next());
		} catch (cause) {
			const code = isNamed(cause, "ESP_ERR_IMAGE_INVALID") ? "image-invalid" : "flash-failed";
			throw refusal(cause, "image check", code);
		}
	}

	activate(): void {
		try {
			this.#flash.activate(this.#flash.next());
		} catch (cause) {
			throw refusal(cause, "activate", "activate-failed");
		}
	}

	confirm(): void {
		try {
			this.#flash.confirm();
		} catch (cause) {
			throw refusal(cause, "confirm");
		}
	}

	canRollBack(): boolean {
		try {
			return this.#flash.canRollBack();
		} catch (cause) {
			throw refusal(cause, "boot records");
		}
	}

	rollBack(): void {
		try {
			this.#flash.rollBack(this.#preferFactory);
		} catch (cause) {
			const code = isNamed(cause, "ESP_ERR_OTA_ROLLBACK_FAILED") ? "rollback-impossible" : "flash-failed";
			throw refusal(cause, "roll back", code);
		}
	}

	#info(slot: number): SlotInfo {
		const flash = this.#flash;
		return {
			label: flash.label(slot),
			sizeBytes: flash.sizeBytes(slot),
			state: slotStateName(flash.state(slot)),
			...this.#image(slot),
			trialBoots: flash.trialBoots(slot),
		};
	}

	#image(slot: number): Pick<SlotInfo, "version" | "securityVersion"> {
		this.#flash.read(slot, 0, this.#preamble, 0, IMAGE_PREAMBLE_BYTES);
		try {
			const { version, secureVersion } = parseImagePreamble(this.#preamble);
			return { version, securityVersion: secureVersion };
		} catch (cause) {
			if (cause instanceof FotaError && cause.code === "image-invalid")
				return { version: undefined, securityVersion: 0 };
			throw cause;
		}
	}
}

/** Of a value of the native SlotState. */
export function slotStateName(state: number): SlotState {
	switch (state) {
		case NativeState.New:
			return "new";
		case NativeState.PendingVerify:
			return "on-trial";
		case NativeState.Valid:
			return "valid";
		case NativeState.Invalid:
			return "invalid";
		case NativeState.Aborted:
			return "aborted";
		default:
			return "undefined";
	}
}

function isNamed(cause: unknown, espErrorName: string): boolean {
	return cause instanceof Error && cause.message === espErrorName;
}

/** ESP-IDF's refusals are plain Errors. A RangeError or TypeError is a mistake of ours and stays one. */
function refusal(cause: unknown, doing: string, code: ErrorCode = "flash-failed"): unknown {
	if (cause instanceof RangeError || cause instanceof TypeError) return cause;
	return toFotaError(cause, { code, doing });
}
