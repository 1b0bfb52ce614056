// GET chunk: pieces of an image, as frames for our firmware or as JSON for old devices (docs/protocol.md §6). Reads
// the image in pieces as the network takes them; it is never in memory as a whole.
import { Readable } from "node:stream";
import { Type } from "typebox";
import {
	CHUNK_MAC_PREFIX_BYTES,
	CHUNK_PATH,
	CHUNKS_MEDIA_TYPE,
	chunkMacPrefix,
	FRAME_HEAD_BYTES,
	FRAME_OVERHEAD_BYTES,
	framesLength,
} from "../../src/protocol/chunk-frames.js";
import { hexDecode } from "../../src/protocol/encoding.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { CHUNK_COUNT_MAX, CHUNK_SIZES_BYTES, HASH_BYTES, MAC_BYTES } from "../../src/protocol/limits.js";
import { chunkCountOf, chunkLengthOf } from "../../src/protocol/manifest.js";
import type { Caller } from "../auth/device-authenticator.js";
import { chunkKeyOf, hmac } from "../auth/device-keys.js";
import { mayDownload } from "../domain/download-right.js";
import type { Server, Services } from "../services.js";
import type { OpenImage } from "../stores/image-store.js";
import { findActiveRelease, findReleaseById } from "../stores/release-store.js";
import type { ReleaseRow } from "../stores/tables.js";
import { CHUNK_MEDIA } from "./device-answers.js";
import { callerOf } from "./device-scope.js";
import { endWithRight } from "./download-watch.js";
import { describe } from "./operation.js";
import { ChunkBytesSchema, HashSchema } from "./schemas.js";

const Query = Type.Object({
	chunk_number: Type.Integer({
		minimum: 0,
		maximum: CHUNK_COUNT_MAX - 1,
		description: "Counted from 0",
	}),
	count: Type.Optional(Type.Integer({ minimum: 1, maximum: CHUNK_COUNT_MAX })),
	chunk_size: Type.Optional(ChunkBytesSchema),
	/** 1: the device has the first chunk; its frame comes without data. Frames only. */
	held: Type.Optional(Type.Integer({ minimum: 0, maximum: 1 })),
	/** Of the image; without it, the one that the last manifest named. */
	hash: Type.Optional(HashSchema),
});

/** What one read brings into memory, at least one chunk. */
const READ_BYTES = 65_536;

interface ChunkRange {
	readonly release: ReleaseRow;
	readonly first: number;
	readonly count: number;
	readonly chunkBytes: number;
	readonly isFirstHeld: boolean;
}

const CHUNK = describe({
	tag: "Device interface",
	summary: "Pieces of an image",
	querystring: Query,
	answers: { 200: { media: CHUNK_MEDIA } },
	errors: ["release-unknown"],
});

export function registerChunkRoute(server: Server, services: Services): void {
	server.get(CHUNK_PATH, { schema: CHUNK }, async (request, reply) => {
		const caller = callerOf(request);
		const { chunk_number: first, count = 1, chunk_size, held, hash } = request.query;
		const accepted = acceptedType(request.headers.accept);
		const release = await releaseOf(services, caller, hash);
		const range = {
			release,
			first,
			count,
			chunkBytes: chunk_size ?? release.chunk_bytes,
			isFirstHeld: held === 1,
		};
		checkRange(range);
		if (accepted === "frames") {
			const image = await services.images.open(release.hash);
			reply.header("content-length", framesLength({ ...range, sizeBytes: release.size_bytes }));
			const stream = frameStream(image, range, caller);
			return reply.type(CHUNKS_MEDIA_TYPE).send(endWithRight(services, stream, { caller, release }));
		}
		if (range.isFirstHeld) throw new FotaError("request-malformed", "held goes with frames only");
		if (count !== 1) throw new FotaError("request-malformed", "one chunk a request in this representation");
		return reply.type("application/json").send(await chunkAsJson(services, range, caller));
	});
}

function acceptedType(accept: string | undefined): "frames" | "json" {
	const types = (accept ?? "*/*").split(",").map((part) => part.split(";", 1)[0]?.trim().toLowerCase());
	if (types.includes(CHUNKS_MEDIA_TYPE)) return "frames";
	if (types.some((type) => type === "application/json" || type === "application/*" || type === "*/*"))
		return "json";
	throw new FotaError("request-malformed", `accept names neither ${CHUNKS_MEDIA_TYPE} nor application/json`);
}

async function releaseOf(
	services: Services,
	{ device }: Caller,
	hash: string | undefined,
): Promise<ReleaseRow> {
	const release =
		hash !== undefined
			? await findActiveRelease(services.db, device.device_type, hash)
			: device.offered_release_id !== null
				? await findReleaseById(services.db, device.offered_release_id)
				: undefined;
	if (release === undefined || !mayDownload(device, release))
		throw new FotaError("release-unknown", "no such release is offered to this device");
	return release;
}

function checkRange({ release, first, count, chunkBytes }: ChunkRange): void {
	if (!CHUNK_SIZES_BYTES.includes(chunkBytes))
		throw new FotaError("request-malformed", `chunk_size is not one of ${CHUNK_SIZES_BYTES.join(", ")}`);
	const chunkCount = chunkCountOf(release.size_bytes, chunkBytes);
	if (first + count > chunkCount)
		throw new FotaError("request-malformed", `the image has chunks 0 to ${chunkCount - 1}`);
}

function frameStream(image: OpenImage, range: ChunkRange, caller: Caller): Readable {
	// One piece ahead of the socket at most.
	const stream = Readable.from(frames(image, range, caller), { highWaterMark: 1 });
	// Not in the generator: its `finally` would not run if the connection is gone before the first piece.
	stream.once("close", () => void image.close());
	return stream;
}

async function* frames(image: OpenImage, range: ChunkRange, caller: Caller): AsyncGenerator<Buffer> {
	const { release, first, count, chunkBytes, isFirstHeld } = range;
	const key = chunkKeyOf(caller.deviceKey, hexDecode(release.hash, HASH_BYTES) ?? new Uint8Array(0));
	const chunksPerRead = Math.max(1, Math.floor(READ_BYTES / chunkBytes));
	for (let at = first; at < first + count; at += chunksPerRead) {
		const readCount = Math.min(chunksPerRead, first + count - at);
		const offsetBytes = at * chunkBytes;
		const data = await image.read(
			offsetBytes,
			Math.min(release.size_bytes - offsetBytes, readCount * chunkBytes),
		);
		yield framesOf(data, { first: at, chunkBytes, key, isFirstHeld: isFirstHeld && at === first });
	}
}

function framesOf(
	data: Uint8Array,
	options: {
		readonly first: number;
		readonly chunkBytes: number;
		readonly key: Uint8Array;
		readonly isFirstHeld: boolean;
	},
): Buffer {
	const { first, chunkBytes, key, isFirstHeld } = options;
	const frameCount = Math.ceil(data.length / chunkBytes);
	const heldBytes = isFirstHeld ? Math.min(chunkBytes, data.length) : 0;
	// Filled whole below: head, data and MAC of each frame.
	const out = Buffer.allocUnsafe(data.length - heldBytes + frameCount * FRAME_OVERHEAD_BYTES);
	const prefix = new Uint8Array(CHUNK_MAC_PREFIX_BYTES);
	let at = 0;
	for (let i = 0; i < frameCount; i++) {
		const chunk = data.subarray(i * chunkBytes, (i + 1) * chunkBytes);
		chunkMacPrefix(first + i, chunk.length, prefix);
		out.writeUInt32BE(chunk.length, at);
		at += FRAME_HEAD_BYTES;
		if (i > 0 || !isFirstHeld) {
			out.set(chunk, at);
			at += chunk.length;
		}
		out.set(hmac(key, prefix, chunk), at);
		at += MAC_BYTES;
	}
	return out;
}

async function chunkAsJson(services: Services, range: ChunkRange, caller: Caller): Promise<string> {
	const { release, first, chunkBytes } = range;
	const image = await services.images.open(release.hash);
	let data: Uint8Array;
	try {
		data = await image.read(first * chunkBytes, chunkLengthOf(first, release.size_bytes, chunkBytes));
	} finally {
		await image.close();
	}
	return JSON.stringify({
		chunk_number: first,
		data: Buffer.from(data.buffer, data.byteOffset, data.length).toString("base64"),
		size: data.length,
		mac: hmac(caller.deviceKey, data).toString("hex"),
	});
}
