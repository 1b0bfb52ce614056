// Whole images in memory, the least recently used ones forgotten first. An image never changes under its hash, so a
// process may keep what it has. Used by the object store, where each read would be a request, and by the folder, where each
// would be a turn through the threads that read files.
import { createHash } from "node:crypto";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { OpenImage } from "./image-store.js";

/**
 * Threat: whoever may write to the store, or a disk that rots. A device would refuse the image, but only after it fetched it
 * all. Throws `server-failed`.
 */
export function checkedImage(bytes: Uint8Array, hash: string): Uint8Array {
	if (createHash("sha256").update(bytes).digest("hex") !== hash)
		throw new FotaError("server-failed", "the image in the store is not what it was");
	return bytes;
}

export function imageInMemory(image: Uint8Array): OpenImage {
	return {
		async read(offsetBytes, lengthBytes) {
			const part = image.subarray(offsetBytes, offsetBytes + lengthBytes);
			if (part.length < lengthBytes)
				throw new FotaError("server-failed", "the image in the store is shorter");
			return part;
		},
		close: async () => {},
	};
}

export interface ImageCache {
	/** From memory, or loaded once however many ask at the same time. Throws what `load` throws; that is not kept. */
	get(hash: string): Promise<Uint8Array>;
	forget(hash: string): void;
}

export interface ImageCacheOptions {
	/** All together; a single larger image is given but not kept. */
	readonly maxBytes: number;
	readonly load: (hash: string) => Promise<Uint8Array>;
}

export function createImageCache({ maxBytes, load }: ImageCacheOptions): ImageCache {
	/** In the order of their last use. */
	const kept = new Map<string, Uint8Array>();
	const loading = new Map<string, Promise<Uint8Array>>();
	let keptBytes = 0;

	const forget = (hash: string) => {
		keptBytes -= kept.get(hash)?.length ?? 0;
		kept.delete(hash);
	};
	const keep = (hash: string, image: Uint8Array) => {
		forget(hash);
		kept.set(hash, image);
		keptBytes += image.length;
		for (const oldest of kept.keys()) {
			if (keptBytes <= maxBytes) break;
			forget(oldest);
		}
	};
	const loadOnce = (hash: string) => {
		const started = load(hash)
			.then((image) => {
				// Forgotten meanwhile: removed from the store while it was on its way.
				if (loading.get(hash) === started) keep(hash, image);
				return image;
			})
			.finally(() => {
				if (loading.get(hash) === started) loading.delete(hash);
			});
		loading.set(hash, started);
		return started;
	};
	return {
		async get(hash) {
			const image = kept.get(hash);
			if (image === undefined) return loading.get(hash) ?? loadOnce(hash);
			keep(hash, image);
			return image;
		},
		forget(hash) {
			loading.delete(hash);
			forget(hash);
		},
	};
}
