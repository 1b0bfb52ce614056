// Images in a folder: `<first two digits>/<hash>.bin`, incoming ones in `incoming/`. A name in its final place always
// has its whole content behind it: written, fsynced, renamed, the folder fsynced.
import { createHash, randomUUID } from "node:crypto";
import {
	access,
	constants,
	type FileHandle,
	mkdir,
	open,
	readdir,
	readFile,
	rename,
	rm,
	stat,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { FotaError } from "../../src/protocol/error-codes.js";
import { IMAGE_MAX_BYTES } from "../../src/protocol/limits.js";
import { syncFolder } from "./durable-file.js";
import { checkedImage, createImageCache, imageInMemory } from "./image-cache.js";
import type { ImageStore, OpenImage, StagedImage } from "./image-store.js";

/** What staging needs of an open file; a test gives one whose disk is full. */
export type WritableFile = Pick<FileHandle, "write" | "sync" | "close">;

export interface ImageFolderOptions {
	/** The folder; made if missing. */
	readonly directory: string;
	/** Images kept in memory, in bytes all together; they are read from their files where it is below 8 MiB. Default 0. */
	readonly cacheBytes?: number;
	/** Creates a file that must not exist. Default: the file system. */
	readonly create?: (path: string) => Promise<WritableFile>;
}

const INCOMING = "incoming";
const IMAGE_NAME = /^([0-9a-f]{64})\.bin$/;

export async function openImageFolder(options: ImageFolderOptions): Promise<ImageStore> {
	const { directory } = options;
	const create = options.create ?? ((path) => open(path, "wx", 0o640));
	const incoming = join(directory, INCOMING);
	await mkdir(incoming, { recursive: true });
	const addressOf = (hash: string) => `${hash.slice(0, 2)}/${hash}.bin`;
	const pathOf = (hash: string) => join(directory, addressOf(hash));
	const { cacheBytes = 0 } = options;
	const cache =
		cacheBytes < IMAGE_MAX_BYTES
			? undefined
			: createImageCache({ maxBytes: cacheBytes, load: async (hash) => loadImage(pathOf(hash), hash) });
	return {
		async stage(source, { maxBytes }) {
			const path = join(incoming, randomUUID());
			try {
				return stagedImage(path, pathOf, await writeFile(await create(path), source, maxBytes));
			} catch (error) {
				await rm(path, { force: true });
				throw error;
			}
		},
		open: async (hash) => (cache ? imageInMemory(await cache.get(hash)) : openImage(pathOf(hash))),
		addressOf,
		remove(hash) {
			cache?.forget(hash);
			return rm(pathOf(hash), { force: true });
		},
		listKeptBefore: (timeMs) => listKeptBefore(directory, timeMs),
		async removeUnfinished(beforeMs) {
			const paths = await filesBefore(incoming, beforeMs);
			for (const path of paths) await rm(path, { force: true });
			return paths.length;
		},
		check: () => access(incoming, constants.W_OK | constants.X_OK),
		close: async () => {},
	};
}

interface Written {
	readonly sizeBytes: number;
	readonly hash: string;
}

async function writeFile(
	file: WritableFile,
	source: AsyncIterable<Uint8Array>,
	maxBytes: number,
): Promise<Written> {
	const hash = createHash("sha256");
	let sizeBytes = 0;
	try {
		for await (const piece of source) {
			sizeBytes += piece.length;
			if (sizeBytes > maxBytes) throw new FotaError("upload-too-large", `more than ${maxBytes} bytes`);
			hash.update(piece);
			await writeAll(file, piece);
		}
		await file.sync();
	} finally {
		await file.close();
	}
	return { sizeBytes, hash: hash.digest("hex") };
}

async function writeAll(file: WritableFile, piece: Uint8Array): Promise<void> {
	for (let at = 0; at < piece.length; ) {
		at += (await file.write(piece, at, piece.length - at)).bytesWritten;
	}
}

function stagedImage(path: string, pathOf: (hash: string) => string, written: Written): StagedImage {
	return {
		...written,
		read: () => readFile(path),
		async keep() {
			const target = pathOf(written.hash);
			await mkdir(dirname(target), { recursive: true });
			await rename(path, target);
			await syncFolder(dirname(target));
			await syncFolder(dirname(dirname(target)));
		},
		discard: () => rm(path, { force: true }),
	};
}

async function loadImage(path: string, hash: string): Promise<Uint8Array> {
	return checkedImage(await readFile(path).catch(throwAbsence), hash);
}

function throwAbsence(cause: NodeJS.ErrnoException): never {
	// Without a word of coming again: devices would ask for what is gone, and take it for no failure.
	const code = cause.code === "ENOENT" ? "server-failed" : "server-unavailable";
	throw new FotaError(code, "the image is not in the store", { cause });
}

async function openImage(path: string): Promise<OpenImage> {
	const file = await open(path, "r").catch(throwAbsence);
	return {
		async read(offsetBytes, lengthBytes) {
			// Filled whole, or thrown away.
			const into = Buffer.allocUnsafe(lengthBytes);
			for (let at = 0; at < into.length; ) {
				const { bytesRead } = await file.read(into, at, into.length - at, offsetBytes + at);
				if (bytesRead === 0) throw new FotaError("server-failed", "the image in the store is shorter");
				at += bytesRead;
			}
			return into;
		},
		close: () => file.close(),
	};
}

async function listKeptBefore(directory: string, timeMs: number): Promise<string[]> {
	const hashes: string[] = [];
	for (const folder of await readdir(directory, { withFileTypes: true })) {
		if (!folder.isDirectory() || folder.name === INCOMING) continue;
		for (const path of await filesBefore(join(directory, folder.name), timeMs)) {
			const hash = IMAGE_NAME.exec(basename(path))?.[1];
			if (hash !== undefined) hashes.push(hash);
		}
	}
	return hashes;
}

async function filesBefore(folder: string, timeMs: number): Promise<string[]> {
	const paths: string[] = [];
	for (const name of await readdir(folder)) {
		const path = join(folder, name);
		// Gone meanwhile: another server of this folder was first.
		const found = await stat(path).catch(() => undefined);
		if (found !== undefined && found.mtimeMs < timeMs) paths.push(path);
	}
	return paths;
}
