// Images in an object store that speaks S3 (AWS, MinIO, Ceph, Garage …): `images/<hash>.bin`, incoming ones under
// `incoming/`. Loaded by app.ts only where an object store is set. An object appears whole or not at all, so an image in
// its final place is complete.
import { createHash, randomUUID } from "node:crypto";
import {
	CopyObjectCommand,
	DeleteObjectCommand,
	GetObjectCommand,
	HeadBucketCommand,
	ListObjectsV2Command,
	PutObjectCommand,
	S3Client,
	S3ServiceException,
} from "@aws-sdk/client-s3";
import { FotaError } from "../../src/protocol/error-codes.js";
import { checkedImage, createImageCache, imageInMemory } from "./image-cache.js";
import type { ImageStore, StagedImage } from "./image-store.js";

export interface S3Settings {
	readonly bucket: string;
	/** Of the store; undefined: AWS, by region. */
	readonly endpoint?: string | undefined;
	/** Default: "us-east-1", which stores other than AWS take. */
	readonly region?: string | undefined;
	/** Default: where the AWS library looks (environment, files, the machine's role). */
	readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
	/** Before all names, for instance "fota/". Default: none. */
	readonly prefix?: string | undefined;
	/** Images kept in memory, in bytes all together. */
	readonly cacheBytes: number;
	/** For one attempt of one request, in milliseconds. Default 5000; there are three attempts. */
	readonly timeoutMs?: number | undefined;
}

const ATTEMPTS_MAX = 3;
const TIMEOUT_MS = 5000;
const IMAGE_NAME = /^([0-9a-f]{64})\.bin$/;

export async function openS3Images(settings: S3Settings): Promise<ImageStore> {
	const bucket = createBucket(settings);
	const pathOf = (hash: string) => `images/${hash}.bin`;
	const cache = createImageCache({
		maxBytes: settings.cacheBytes,
		load: async (hash) => {
			const bytes = await bucket.get(pathOf(hash));
			if (bytes === undefined) throw new FotaError("server-failed", "the image is not in the store");
			return checkedImage(bytes, hash);
		},
	});
	return {
		async stage(source, { maxBytes }) {
			const bytes = await collect(source, maxBytes);
			const path = `incoming/${randomUUID()}`;
			await bucket.put(path, bytes);
			return stagedImage(bucket, { bytes, path, pathOf });
		},
		async open(hash) {
			return imageInMemory(await cache.get(hash));
		},
		addressOf: (hash) => `s3://${settings.bucket}/${settings.prefix ?? ""}${pathOf(hash)}`,
		async remove(hash) {
			cache.forget(hash);
			await bucket.remove(pathOf(hash));
		},
		async listKeptBefore(timeMs) {
			const paths = await bucket.listBefore("images/", timeMs);
			return paths.flatMap((path) => IMAGE_NAME.exec(path.slice("images/".length))?.[1] ?? []);
		},
		async removeUnfinished(beforeMs) {
			const paths = await bucket.listBefore("incoming/", beforeMs);
			for (const path of paths) await bucket.remove(path);
			return paths.length;
		},
		check: () => bucket.check(),
		close: async () => bucket.close(),
	};
}

function stagedImage(
	bucket: Bucket,
	staged: {
		readonly bytes: Uint8Array;
		readonly path: string;
		readonly pathOf: (hash: string) => string;
	},
): StagedImage {
	const { bytes, path, pathOf } = staged;
	const hash = createHash("sha256").update(bytes).digest("hex");
	return {
		sizeBytes: bytes.length,
		hash,
		read: async () => bytes,
		keep: () => bucket.copy(path, pathOf(hash)),
		discard: () => bucket.remove(path),
	};
}

// An image is 8 MiB at most, and only operators upload.
async function collect(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
	const pieces: Uint8Array[] = [];
	let sizeBytes = 0;
	for await (const piece of source) {
		sizeBytes += piece.length;
		if (sizeBytes > maxBytes) throw new FotaError("upload-too-large", `more than ${maxBytes} bytes`);
		pieces.push(piece);
	}
	return Buffer.concat(pieces);
}

type Bucket = ReturnType<typeof createBucket>;

/** The calls that are used, on names below the prefix. All throw `server-unavailable` when the store is out of reach. */
function createBucket(settings: S3Settings) {
	const { bucket: Bucket, prefix = "", endpoint, credentials } = settings;
	const timeoutMs = settings.timeoutMs ?? TIMEOUT_MS;
	const client = new S3Client({
		region: settings.region ?? "us-east-1",
		maxAttempts: ATTEMPTS_MAX,
		requestHandler: {
			connectionTimeout: timeoutMs,
			requestTimeout: timeoutMs,
			throwOnRequestTimeout: true,
			socketTimeout: timeoutMs,
		},
		// Stores other than AWS do not all know the checksums that are newer than the signed SHA-256.
		requestChecksumCalculation: "WHEN_REQUIRED",
		responseChecksumValidation: "WHEN_REQUIRED",
		...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
		...(credentials === undefined ? {} : { credentials }),
	});
	const ask = async <T>(what: string, task: () => Promise<T>): Promise<T> => {
		try {
			return await task();
		} catch (cause) {
			throw new FotaError("server-unavailable", `the object store refused to ${what}: ${nameOf(cause)}`, {
				cause,
			});
		}
	};
	const listPage = (path: string, token: string | undefined) =>
		client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix + path, ContinuationToken: token }));
	return {
		put: (path: string, Body: Uint8Array) =>
			ask("take an image", async () => {
				await client.send(new PutObjectCommand({ Bucket, Key: prefix + path, Body }));
			}),
		get: (path: string) =>
			ask("give an image", async () => {
				try {
					const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: prefix + path }));
					return await Body?.transformToByteArray();
				} catch (error) {
					if (error instanceof S3ServiceException && error.name === "NoSuchKey") return undefined;
					throw error;
				}
			}),
		copy: (from: string, to: string) =>
			ask("keep an image", async () => {
				const CopySource = `${Bucket}/${encodeURI(prefix + from)}`;
				await client.send(new CopyObjectCommand({ Bucket, Key: prefix + to, CopySource }));
			}),
		remove: (path: string) =>
			ask("remove an image", async () => {
				await client.send(new DeleteObjectCommand({ Bucket, Key: prefix + path }));
			}),
		listBefore: (path: string, timeMs: number) =>
			ask("list images", async () => {
				const paths: string[] = [];
				let token: string | undefined;
				do {
					const page = await listPage(path, token);
					for (const { Key, LastModified } of page.Contents ?? [])
						if (Key !== undefined && LastModified !== undefined && LastModified.getTime() < timeMs)
							paths.push(Key.slice(prefix.length));
					token = page.NextContinuationToken;
				} while (token !== undefined);
				return paths;
			}),
		check: () =>
			ask("answer", async () => {
				await client.send(new HeadBucketCommand({ Bucket }));
			}),
		close: () => client.destroy(),
	};
}

// The message of the library may have the request in it.
function nameOf(cause: unknown): string {
	if (cause instanceof S3ServiceException)
		return `${cause.name} (${cause.$metadata.httpStatusCode ?? "no status"})`;
	return (cause as NodeJS.ErrnoException).code ?? (cause as Error).name;
}
