// Firmware images by the SHA-256 of their bytes, outside the database. The port; image-folder.ts and s3-images.ts
// implement it. Knows nothing of releases.

/** An image on its way in: complete, durable, but not yet kept. Ended by keep() or discard(), discard() idempotent. */
export interface StagedImage {
	readonly sizeBytes: number;
	/** SHA-256, hex. */
	readonly hash: string;
	/** The whole image; bounded by the limit it was staged with. */
	read(): Promise<Uint8Array>;
	/** Makes it an image of the store, durably; one with the same hash is replaced, and counts as kept now. */
	keep(): Promise<void>;
	discard(): Promise<void>;
}

export interface OpenImage {
	/** Not to be written to: it may be the store's own memory. Throws `server-failed` when the image ends before. */
	read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array>;
	close(): Promise<void>;
}

export interface ImageStore {
	/** Takes an image from a stream. Throws `upload-too-large` above `maxBytes`; whatever it throws, nothing is left. */
	stage(source: AsyncIterable<Uint8Array>, options: { readonly maxBytes: number }): Promise<StagedImage>;
	/** Throws `server-failed` when the image is not there, or is not what it was. */
	open(hash: string): Promise<OpenImage>;
	/** Where the store has it, for people: a path below the folder, or the address in the object store. */
	addressOf(hash: string): string;
	/** Nothing happens if it is not there. */
	remove(hash: string): Promise<void>;
	/** Hashes of the images that were kept before this moment (Unix milliseconds). */
	listKeptBefore(timeMs: number): Promise<string[]>;
	/** Removes uploads that were begun before this moment and never ended (a crash). Returns how many. */
	removeUnfinished(beforeMs: number): Promise<number>;
	/** Throws when images could not be taken or given now. */
	check(): Promise<void>;
	close(): Promise<void>;
}
