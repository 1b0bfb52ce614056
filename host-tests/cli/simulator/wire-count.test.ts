// What a device fetched twice, counted from captures made here: frames and JSON, whole, held and broken off.
import { describe, expect, test } from "vitest";
import { countWire } from "../../../cli/simulator/wire-count.js";
import { encodeChunkFrame } from "../../../src/protocol/chunk-frames.js";
import { encodeCapture, encodeRecord, type RecordOf } from "./capture-records.js";

const CHUNK_BYTES = 1024;
/** Three chunks, the last of 300 bytes. */
const IMAGE = Buffer.alloc(2 * CHUNK_BYTES + 300, 0xa5);
const MAC = new Uint8Array(32).fill(7);
const OVERHEAD = 36;
const HASH = "ab".repeat(32);

interface Fetch {
	readonly first: number;
	readonly count?: number;
	readonly isHeld?: boolean;
	readonly isJson?: boolean;
	readonly hash?: string;
	readonly status?: number;
	/** Body bytes that the application reads; default all. */
	readonly readBytes?: number;
}

function dataOf(chunk: number): Buffer {
	return IMAGE.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
}

function bodyOf({ first, count = 1, isHeld, isJson }: Fetch): Buffer {
	if (isJson) {
		const data = dataOf(first);
		const text = { chunk_number: first, data: data.toString("base64"), size: data.length, mac: "00" };
		return Buffer.from(JSON.stringify(text));
	}
	const frames = Array.from({ length: count }, (_, i) => {
		const frame = encodeChunkFrame(dataOf(first + i), MAC);
		return isHeld && i === 0 ? Buffer.concat([frame.subarray(0, 4), MAC]) : frame;
	});
	return Buffer.concat(frames);
}

function requestOf({ first, count, isHeld, hash = HASH }: Fetch): string {
	const query = `chunk_number=${first}${count ? `&count=${count}` : ""}&chunk_size=${CHUNK_BYTES}&hash=${hash}`;
	return `GET /api/inverter/fota/chunk?${query}${isHeld ? "&held=1" : ""} HTTP/1.1\r\nHost: x\r\n\r\n`;
}

function answerOf(fetch: Fetch): Buffer {
	const body = bodyOf(fetch);
	const type = fetch.isJson ? "application/json; charset=utf-8" : "application/vnd.fota.chunks";
	const head = `HTTP/1.1 ${fetch.status ?? 200} x\r\nContent-Type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`;
	return Buffer.concat([Buffer.from(head), body.subarray(0, fetch.readBytes)]);
}

/** One connection a fetch, read in pieces of 700 bytes. */
function countFetches(...fetches: readonly Fetch[]) {
	const records = fetches.flatMap((fetch, i) => exchange(i + 1, requestOf(fetch), answerOf(fetch)));
	return countWire(encodeCapture(records));
}

function exchange(connection: number, request: string, answer: Buffer): RecordOf[] {
	return [{ kind: "o", connection }, ...turn(connection, request, answer)];
}

function turn(connection: number, request: string, answer: Buffer): RecordOf[] {
	const records: RecordOf[] = [{ kind: ">", connection, bytes: request }];
	for (let at = 0; at < answer.length; at += 700)
		records.push({ kind: "<", connection, bytes: answer.subarray(at, at + 700) });
	return records;
}

const frame = (chunks: number) => chunks * (CHUNK_BYTES + OVERHEAD);

describe("frames", () => {
	test("that each come once are nothing again", () => {
		expect(countFetches({ first: 0, count: 3 })).toEqual({
			requestCount: 1,
			refetchedChunks: 0,
			refetchedBytes: 0,
		});
	});

	test("broken off within a chunk, then fetched from that chunk on, are its part again", () => {
		const count = countFetches({ first: 0, count: 3, readBytes: frame(1) + 4 + 500 }, { first: 1, count: 2 });
		expect(count).toEqual({ requestCount: 2, refetchedChunks: 0, refetchedBytes: 500 });
	});

	test("of a chunk that came whole and was torn in flash are one chunk again", () => {
		const count = countFetches({ first: 0, count: 3, readBytes: frame(2) + 4 + 10 }, { first: 1, count: 2 });
		expect(count).toEqual({ requestCount: 2, refetchedChunks: 1, refetchedBytes: CHUNK_BYTES + 10 });
	});

	test("of which the MAC alone was missing are whole", () => {
		const count = countFetches({ first: 0, readBytes: 4 + CHUNK_BYTES }, { first: 0 });
		expect(count).toEqual({ requestCount: 2, refetchedChunks: 1, refetchedBytes: CHUNK_BYTES });
	});

	test("of a held chunk have no data, whole or broken off", () => {
		const before = { first: 0, count: 2, readBytes: frame(2) };
		expect(countFetches(before, { first: 1, count: 2, isHeld: true })).toMatchObject({ refetchedBytes: 0 });
		const torn = { first: 1, count: 2, isHeld: true, readBytes: OVERHEAD + 4 + 20 };
		expect(countFetches(before, torn, { first: 2 })).toMatchObject({
			refetchedChunks: 0,
			refetchedBytes: 20,
		});
	});

	test("of the last chunk count with its own length", () => {
		expect(countFetches({ first: 2 }, { first: 2 }, { first: 2 })).toEqual({
			requestCount: 3,
			refetchedChunks: 2,
			refetchedBytes: 600,
		});
	});

	test("of another image are another chunk", () => {
		expect(countFetches({ first: 0 }, { first: 0, hash: "cd".repeat(32) })).toMatchObject({
			refetchedBytes: 0,
		});
	});

	test("of which nothing was read, or that were refused, are none", () => {
		const count = countFetches({ first: 0, readBytes: 3 }, { first: 0, status: 503 }, { first: 0 });
		expect(count).toEqual({ requestCount: 3, refetchedChunks: 0, refetchedBytes: 0 });
	});

	test("longer than the chunk that was asked for are refused", () => {
		const head = "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.fota.chunks\r\ncontent-length: 4\r\n\r\n";
		const answer = Buffer.concat([Buffer.from(head), Buffer.from([0, 0, 4, 1])]);
		expect(() => countWire(encodeCapture(exchange(1, requestOf({ first: 9 }), answer)))).toThrow(
			"chunk 9 has 1025 bytes",
		);
	});
});

describe("chunks in JSON", () => {
	test("count with their decoded bytes", () => {
		const last = { first: 2, isJson: true };
		expect(countFetches(last, last)).toEqual({ requestCount: 2, refetchedChunks: 1, refetchedBytes: 300 });
	});

	test("broken off count as far as they were read", () => {
		const prefix = '{"chunk_number":0,"data":"'.length;
		const chunk = { first: 0, isJson: true };
		expect(countFetches({ ...chunk, readBytes: prefix + 100 }, chunk)).toEqual({
			requestCount: 2,
			refetchedChunks: 0,
			refetchedBytes: 75,
		});
	});
});

describe("requests", () => {
	const manifest = "GET /api/inverter/fota/manifest?chip=esp32 HTTP/1.1\r\n\r\n";
	const report = "POST /api/inverter/fota/status HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
	const empty = Buffer.from("HTTP/1.1 204 No Content\r\n\r\n");

	test("are counted from the first manifest on, over all connections, several on each", () => {
		const records = [
			...exchange(1, report, empty),
			...exchange(2, manifest, empty),
			...turn(1, report, empty),
			...turn(2, requestOf({ first: 0 }), answerOf({ first: 0 })),
			...turn(2, requestOf({ first: 0 }), answerOf({ first: 0 })),
		];
		expect(countWire(encodeCapture(records))).toEqual({
			requestCount: 4,
			refetchedChunks: 1,
			refetchedBytes: CHUNK_BYTES,
		});
	});

	test("have the final answer, not an interim one", () => {
		const answer = Buffer.concat([
			Buffer.from("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
			answerOf({ first: 0 }),
		]);
		const once = exchange(1, requestOf({ first: 0 }), answer);
		expect(countWire(encodeCapture([...once, ...turn(1, requestOf({ first: 0 }), answer)]))).toMatchObject({
			refetchedChunks: 1,
		});
	});

	test("cut short, without an answer, or with half a head, bring nothing", () => {
		const fetch = requestOf({ first: 0 });
		const half = answerOf({ first: 0 }).subarray(0, 30);
		const records = [
			...exchange(1, fetch, Buffer.alloc(0)),
			...exchange(2, fetch.slice(0, 40), Buffer.alloc(0)),
			...exchange(3, fetch, half),
		];
		expect(countWire(encodeCapture(records))).toEqual({
			requestCount: 2,
			refetchedChunks: 0,
			refetchedBytes: 0,
		});
	});

	test.each<[string, string, string]>([
		["a request that is none", "hello\r\n\r\n", ""],
		["an answer that is none", manifest, "hello\r\n\r\n"],
		["a header without a colon", manifest, "HTTP/1.1 200 OK\r\nhello\r\n\r\n"],
		["a body in chunks of HTTP", manifest, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
		["a length that is no number", manifest, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
		[
			"chunks of another media type",
			requestOf({ first: 0 }),
			"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n",
		],
		["a chunk number that is none", requestOf({ first: -1 }), "HTTP/1.1 200 OK\r\n\r\n"],
	])("are refused with %s", (_, request, answer) => {
		const capture = encodeCapture(exchange(1, request, Buffer.from(answer)));
		expect(() => countWire(capture)).toThrow(RangeError);
	});
});

test("a capture torn at any byte is counted as far as it goes", () => {
	const fetches = [
		{ first: 0, count: 3, readBytes: frame(1) + 50 },
		{ first: 1, count: 2 },
	];
	const capture = Buffer.concat(
		fetches.flatMap((fetch, i) => exchange(i + 1, requestOf(fetch), answerOf(fetch)).map(encodeRecord)),
	);
	for (let length = 0; length <= capture.length; length += 7)
		expect(countWire(capture.subarray(0, length)).refetchedBytes).toBeLessThanOrEqual(46);
});
