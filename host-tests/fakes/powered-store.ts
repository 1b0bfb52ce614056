// The state of a fake device: outlives its starts, is cut off and refused by its supply, and takes no more than the real
// one does.

import { FotaError } from "../../src/protocol/error-codes.js";
import { STATE_MAX_BYTES } from "../../src/protocol/limits.js";
import type { StateStore } from "../../src/update/ports.js";
import type { Power } from "./power.js";

export class PoweredStore implements StateStore {
	text: string | undefined;
	readonly #power: Power;

	constructor(power: Power) {
		this.#power = power;
	}

	read(): string | undefined {
		return this.text;
	}

	write(text: string): void {
		if (text.length > STATE_MAX_BYTES) throw new FotaError("storage-failed", "state is too long");
		const isDone = this.#power.operate("store", (isWhole) => {
			if (isWhole) this.text = text;
		});
		if (!isDone) throw new FotaError("storage-failed", "ESP_ERR_NVS_NOT_ENOUGH_SPACE");
	}
}
