// TextStorage in memory: survives the objects built on it, as flash survives a restart, and fails when told to.

import type { TextStorage } from "../../src/adapters/text-storage.js";
import { FotaError } from "../../src/protocol/error-codes.js";

export class MemoryTexts implements TextStorage {
	readonly texts = new Map<string, string>();
	writeCount = 0;
	/** Both are operating faults of the storage, not its content. */
	isReadable = true;
	isWritable = true;

	read(name: string): string | undefined {
		if (!this.isReadable) throw new FotaError("storage-failed", `reading ${name}: ESP_ERR_NVS_INVALID_STATE`);
		return this.texts.get(name);
	}

	write(name: string, text: string): void {
		if (!this.isWritable)
			throw new FotaError("storage-failed", `writing ${name}: ESP_ERR_NVS_NOT_ENOUGH_SPACE`);
		this.writeCount += 1;
		this.texts.set(name, text);
	}
}
