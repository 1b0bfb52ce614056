// Counts what a simulated device fetched, and what of it twice, from a capture of its talk (docs/simulator.md): exactly
// what the application read, chunk by chunk (docs/protocol.md §6). Called by the power-cut sweep, by bench and by tests.
// It must not know why something was fetched again.
import {
	CHUNK_PATH,
	CHUNKS_MEDIA_TYPE,
	FRAME_HEAD_BYTES,
	FRAME_OVERHEAD_BYTES,
} from "../../src/protocol/chunk-frames.js";
import { CHUNK_COUNT_MAX, CHUNK_MAX_BYTES } from "../../src/protocol/limits.js";
import { MANIFEST_PATH } from "../../src/protocol/manifest.js";
import { findExchanges, type HttpExchange } from "./http-exchanges.js";
import { parseWireCapture } from "./wire-capture.js";

export interface WireCount {
	/** Requests of any kind from the first manifest on; all, if there was none. */
	readonly requestCount: number;
	/** Over all chunks: how often all its data were read, less one. */
	readonly refetchedChunks: number;
	/**
	 * Over all chunks: bytes of its data that were read, beyond its length. Data bytes of the image, decoded from base64
	 * where they came in JSON, without frame, MAC and the rest of the document. Exact once every chunk came whole.
	 */
	readonly refetchedBytes: number;
}

/** From the bytes of a capture. Throws RangeError for what is no capture, no HTTP or no chunk. */
export function countWire(capture: Uint8Array): WireCount {
	const exchanges = findExchanges(parseWireCapture(capture));
	const firstManifest = exchanges.findIndex(({ target }) => target.split("?")[0] === MANIFEST_PATH);
	let refetchedChunks = 0;
	let refetchedBytes = 0;
	for (const { lengthBytes, deliveredBytes, wholeCount } of addUp(exchanges.flatMap(findDeliveries))) {
		refetchedChunks += Math.max(0, wholeCount - 1);
		refetchedBytes += Math.max(0, deliveredBytes - lengthBytes);
	}
	return { requestCount: exchanges.length - Math.max(0, firstManifest), refetchedChunks, refetchedBytes };
}

/** What one answer brought of one chunk. */
export interface ChunkDelivery {
	/** Hash of the image, or "" where the request named none. */
	readonly hash: string;
	readonly chunkBytes: number;
	readonly chunkNumber: number;
	/** Of the chunk's data. Where that is not known yet, because the answer broke off: the chunk size asked for. */
	readonly lengthBytes: number;
	/** Data bytes that the application read. */
	readonly deliveredBytes: number;
	/** All data were read; the MAC may be missing. */
	readonly isWhole: boolean;
}

interface ChunkTotal {
	lengthBytes: number;
	deliveredBytes: number;
	wholeCount: number;
}

function addUp(deliveries: readonly ChunkDelivery[]): Iterable<ChunkTotal> {
	const totals = new Map<string, ChunkTotal>();
	for (const { hash, chunkBytes, chunkNumber, ...delivery } of deliveries) {
		const key = `${hash} ${chunkBytes} ${chunkNumber}`;
		const total = totals.get(key) ?? {
			lengthBytes: Number.POSITIVE_INFINITY,
			deliveredBytes: 0,
			wholeCount: 0,
		};
		total.lengthBytes = Math.min(total.lengthBytes, delivery.lengthBytes);
		total.deliveredBytes += delivery.deliveredBytes;
		if (delivery.isWhole) total.wholeCount++;
		totals.set(key, total);
	}
	return totals.values();
}

interface ChunkAnswer {
	readonly hash: string;
	readonly chunkBytes: number;
	readonly first: number;
	readonly count: number;
	readonly isFirstHeld: boolean;
	readonly body: Uint8Array;
}

/** Nothing for any other request, and for a refusal. A chunk that the device held is no delivery. */
export function findDeliveries({ target, answer }: HttpExchange): ChunkDelivery[] {
	const { pathname, searchParams } = new URL(target, "http://server");
	if (pathname !== CHUNK_PATH || answer?.status !== 200) return [];
	const chunks: ChunkAnswer = {
		hash: searchParams.get("hash") ?? "",
		chunkBytes: readNumber(searchParams.get("chunk_size"), CHUNK_MAX_BYTES),
		first: readNumber(searchParams.get("chunk_number"), CHUNK_COUNT_MAX - 1),
		count: readNumber(searchParams.get("count") ?? "1", CHUNK_COUNT_MAX),
		isFirstHeld: searchParams.get("held") === "1",
		body: answer.body,
	};
	const mediaType = answer.headers.get("content-type")?.split(";")[0];
	if (mediaType === CHUNKS_MEDIA_TYPE) return deliveriesInFrames(chunks);
	if (mediaType === "application/json") return [deliveryInJson(chunks)];
	throw new RangeError(`chunks in ${mediaType} cannot be counted`);
}

function readNumber(text: string | null, maximum: number): number {
	if (text === null || !/^[0-9]{1,7}$/.test(text) || Number(text) > maximum)
		throw new RangeError(`"${text}" is no number from 0 to ${maximum} in the request for chunks`);
	return Number(text);
}

function deliveriesInFrames({ first, count, isFirstHeld, body, ...chunk }: ChunkAnswer): ChunkDelivery[] {
	const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
	const deliveries: ChunkDelivery[] = [];
	let at = 0;
	for (let i = 0; i < count && at + FRAME_HEAD_BYTES <= body.length; i++) {
		const lengthBytes = view.getUint32(at);
		if (lengthBytes > chunk.chunkBytes) throw new RangeError(`chunk ${first + i} has ${lengthBytes} bytes`);
		const isHeld = isFirstHeld && i === 0;
		const deliveredBytes = Math.min(lengthBytes, body.length - at - FRAME_HEAD_BYTES);
		const isWhole = deliveredBytes === lengthBytes;
		if (!isHeld) deliveries.push({ ...chunk, chunkNumber: first + i, lengthBytes, deliveredBytes, isWhole });
		at += FRAME_OVERHEAD_BYTES + (isHeld ? 0 : lengthBytes);
	}
	return deliveries;
}

function deliveryInJson({ first, body, hash, chunkBytes }: ChunkAnswer): ChunkDelivery {
	const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
	const [, base64 = "", end = ""] = /"data"\s*:\s*"([A-Za-z0-9+/_-]*)(=*"?)/.exec(text) ?? [];
	const deliveredBytes = Math.floor((base64.length * 6) / 8);
	if (deliveredBytes > chunkBytes) throw new RangeError(`chunk ${first} has ${deliveredBytes} bytes`);
	const isWhole = end.endsWith('"');
	const lengthBytes = isWhole ? deliveredBytes : chunkBytes;
	return { hash, chunkBytes, chunkNumber: first, lengthBytes, deliveredBytes, isWhole };
}
