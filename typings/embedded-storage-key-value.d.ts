// The part of Moddable's key-value storage that is used, as the SDK's ESP32 implementation (NVS) behaves.
// Source: Moddable SDK 8.2.3, modules/io/storage/esp32/storage-esp32.{js,c}.

declare module "embedded:storage/key-value" {
	export interface StorageOptions {
		/** NVS namespace, at most 15 characters. Made if it is not there. */
		readonly path: string;
		readonly format: "string";
	}

	export interface Storage {
		/** Undefined if absent; throws TypeError if the value has another type. Keys have at most 15 characters. */
		read(key: string): string | undefined;
		/** Committed when it returns. Throws Error with ESP-IDF's name for what went wrong. */
		write(key: string, value: string): void;
		/** Idempotent. */
		close(): void;
	}

	const keyValue: { readonly open: (options: StorageOptions) => Storage };
	export default keyValue;
}
