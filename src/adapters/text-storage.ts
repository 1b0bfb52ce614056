// Short texts under short names in one part of key-value storage (NVS on the chip). Used by state-store and nonces,
// built by main over `embedded:storage/key-value`. It must not know what the texts mean.

import { toFotaError } from "./cause.js";

/** A text written is there as a whole after a power cut, or the old one is. Both throw `storage-failed`. */
export interface TextStorage {
	/** Undefined if there is none. */
	read(name: string): string | undefined;
	write(name: string, text: string): void;
}

/** What `open` of `embedded:storage/key-value` returns, as far as it is used. */
export interface KeyValue {
	/** A string, or undefined if there is none; the SDK's own typings allow for other formats. */
	read(key: string): unknown;
	write(key: string, value: string): void;
}

export interface KeyValueModule {
	open(options: { readonly path: string; readonly format: "string" }): KeyValue;
}

export interface KeyValueTextsOptions {
	readonly module: KeyValueModule;
	/** NVS namespace, at most 15 characters. */
	readonly path: string;
}

/** Opens at first use and, where that failed, again at each: a device starts without storage. Never closed. */
export class KeyValueTexts implements TextStorage {
	readonly #options: KeyValueTextsOptions;
	#opened: KeyValue | undefined;

	constructor(options: KeyValueTextsOptions) {
		this.#options = options;
	}

	read(name: string): string | undefined {
		try {
			const text = this.#open().read(name);
			return typeof text === "string" ? text : undefined;
		} catch (cause) {
			throw toFotaError(cause, { code: "storage-failed", doing: `reading ${name}` });
		}
	}

	write(name: string, text: string): void {
		try {
			this.#open().write(name, text);
		} catch (cause) {
			throw toFotaError(cause, { code: "storage-failed", doing: `writing ${name}` });
		}
	}

	#open(): KeyValue {
		const { module, path } = this.#options;
		this.#opened ??= module.open({ path, format: "string" });
		return this.#opened;
	}
}
