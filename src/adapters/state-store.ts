// StateStore in key-value storage, path `fota`, key `state` (docs/protocol.md §13). Built by main. It must not know
// what the text says.

import { utf8Encode } from "../protocol/encoding.js";
import { FotaError } from "../protocol/error-codes.js";
import { STATE_MAX_BYTES } from "../protocol/limits.js";
import type { Log, StateStore } from "../update/ports.js";
import { describeCause } from "./cause.js";
import type { TextStorage } from "./text-storage.js";

export const STATE_NAME = "state";

export interface TextStateStoreOptions {
	readonly storage: TextStorage;
	readonly log: Log;
}

export class TextStateStore implements StateStore {
	readonly #options: TextStateStoreOptions;

	constructor(options: TextStateStoreOptions) {
		this.#options = options;
	}

	/** State may be lost (docs/design.md): storage that cannot be read counts as empty, and is logged. */
	read(): string | undefined {
		try {
			return this.#options.storage.read(STATE_NAME);
		} catch (cause) {
			this.#options.log.write("error", describeCause(cause));
			return undefined;
		}
	}

	write(text: string): void {
		if (utf8Encode(text).length > STATE_MAX_BYTES)
			throw new FotaError("storage-failed", `state exceeds ${STATE_MAX_BYTES} bytes`);
		this.#options.storage.write(STATE_NAME, text);
	}
}
