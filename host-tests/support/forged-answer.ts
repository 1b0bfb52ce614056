// What somebody who holds the device's key can do: answers with a valid MAC. For tests of what a device accepts from a
// server that was taken over.
import { createHash, createHmac, hkdfSync } from "node:crypto";
import {
	CHUNK_MAC_PREFIX_BYTES,
	CHUNKS_MEDIA_TYPE,
	chunkMacPrefix,
	encodeChunkFrame,
} from "../../src/protocol/chunk-frames.js";
import {
	chunkKeyInfo,
	KEY_LABELS,
	parseAuthorization,
	RESPONSE_MAC_HEADER,
	responseMacInput,
} from "../../src/protocol/device-auth.js";
import { chunkCountOf } from "../../src/protocol/manifest.js";
import type { Exchange } from "./meddling-proxy.js";
import type { Release } from "./rig.js";

/** Makes the MAC of an answer fit its present body and status. */
export function signAnswer(exchange: Exchange, deviceKey: Uint8Array): void {
	const nonce = parseAuthorization(exchange.authorization)?.nonce ?? 0;
	const bodyHash = createHash("sha256").update(exchange.body).digest("hex");
	const key = hkdfSync("sha256", deviceKey, KEY_LABELS.derived, KEY_LABELS.response, 32);
	exchange.headers[RESPONSE_MAC_HEADER] = createHmac("sha256", Buffer.from(key))
		.update(responseMacInput({ nonce, status: exchange.status, bodyHash }))
		.digest("hex");
}

/** Puts JSON into an answer and signs it. */
export function forgeJson(exchange: Exchange, deviceKey: Uint8Array, json: unknown): void {
	forgeBody(exchange, deviceKey, Buffer.from(JSON.stringify(json)));
}

export function forgeBody(exchange: Exchange, deviceKey: Uint8Array, body: Buffer): void {
	exchange.status = 200;
	exchange.headers["content-type"] = "application/json";
	exchange.body = body;
	signAnswer(exchange, deviceKey);
}

/** The manifest of a release, as a server that was taken over would offer it. */
export function manifestJson(release: Release, chunkBytes: number, changes: object = {}): object {
	const { statement, jws } = release;
	return {
		version: statement.version,
		build_number: statement.buildNumber,
		size: statement.sizeBytes,
		hash: statement.hash,
		chunk_size: chunkBytes,
		total_chunks: chunkCountOf(statement.sizeBytes, chunkBytes),
		release: jws,
		...changes,
	};
}

/** Answers a chunk request with frames of other bytes, each with a valid MAC for the image that was announced. */
export function forgeChunks(
	exchange: Exchange,
	forgery: { readonly deviceKey: Uint8Array; readonly announcedHash: string; readonly image: Uint8Array },
): void {
	const query = new URL(exchange.target, "http://x").searchParams;
	const first = Number(query.get("chunk_number"));
	const chunkBytes = Number(query.get("chunk_size"));
	const chunkCount = chunkCountOf(forgery.image.length, chunkBytes);
	const count = Math.min(Number(query.get("count") ?? 1), chunkCount - first);
	const info = chunkKeyInfo(Buffer.from(forgery.announcedHash, "hex"));
	const key = Buffer.from(hkdfSync("sha256", forgery.deviceKey, KEY_LABELS.derived, info, 32));
	const frames = Array.from({ length: count }, (_, index) => {
		const number = first + index;
		const data = forgery.image.subarray(number * chunkBytes, (number + 1) * chunkBytes);
		const prefix = new Uint8Array(CHUNK_MAC_PREFIX_BYTES);
		chunkMacPrefix(number, data.length, prefix);
		return encodeChunkFrame(data, createHmac("sha256", key).update(prefix).update(data).digest());
	});
	exchange.status = 200;
	exchange.headers["content-type"] = CHUNKS_MEDIA_TYPE;
	exchange.body = Buffer.concat(frames);
	signAnswer(exchange, forgery.deviceKey);
}
