// Chunks stream through the cloud untouched and unkept, exactly as many bytes as were asked for.

import { describe, expect, it } from "vitest";
import type { FotaError } from "../../src/protocol/error-codes.js";
import { CloudRig, type Turn } from "./cloud-rig.js";
import type { Reply } from "./scripted-http-client.js";

const TYPE = "application/vnd.fota.chunks";
const BODY = Uint8Array.from({ length: 9000 }, (_, i) => i & 255);
const HASH = "cd".repeat(32);
const RANGE = {
	hash: HASH,
	chunkBytes: 4096,
	first: 3,
	count: 2,
	bodyBytes: BODY.length,
	wantedBytes: () => 17,
};

function fetchChunks(turns: ((rig: CloudRig) => Turn)[], onData?: (bytes: Uint8Array) => boolean) {
	const rig: CloudRig = new CloudRig(
		...turns.map(
			(make): Turn =>
				(nonce, request) =>
					make(rig)(nonce, request),
		),
	);
	const received: number[] = [];
	const done: (FotaError | undefined)[] = [];
	rig.cloud.fetchChunks({
		...RANGE,
		isFirstHeld: false,
		onData(buffer, offset, byteCount) {
			const piece = buffer.subarray(offset, offset + byteCount);
			received.push(...piece);
			return onData?.(piece) ?? true;
		},
		onDone: (error) => done.push(error),
	});
	expect(done, "done from inside the call").toHaveLength(0);
	rig.run();
	return { rig, received, done, codes: done.map((error) => error?.code) };
}

const stream =
	(change: Partial<Reply> = {}) =>
	() =>
	() => ({
		status: 200,
		headers: { "content-type": TYPE },
		body: BODY,
		pieceBytes: 1436,
		...change,
	});

describe("fetching chunks", () => {
	it("asks for the range of one image and hands over every byte", () => {
		const { rig, received, done } = fetchChunks([stream()]);
		expect(done).toEqual([undefined]);
		expect(received).toEqual([...BODY]);
		const [request] = rig.requests;
		expect(request?.path).toBe(
			`/api/inverter/fota/chunk?chunk_number=3&count=2&chunk_size=4096&hash=${HASH}`,
		);
		expect(request?.headers).toContainEqual({ name: "Accept", value: TYPE });
		expect(request?.totalTimeoutMs).toBe(60_000 + BODY.length);
		expect(request?.idleTimeoutMs).toBe(15_000);
		expect(request?.wantedBytes?.()).toBe(17);
	});

	it("asks for the first frame without its data where the device holds them", () => {
		const rig: CloudRig = new CloudRig(stream()());
		for (const isFirstHeld of [true, false]) {
			rig.cloud.fetchChunks({ ...RANGE, isFirstHeld, onData: () => true, onDone: () => undefined });
			rig.run();
		}
		const target = `/api/inverter/fota/chunk?chunk_number=3&count=2&chunk_size=4096&hash=${HASH}`;
		expect(rig.requests.map(({ path }) => path)).toEqual([`${target}&held=1`, target]);
	});

	it("makes no function a piece", () => {
		const seen = new Set<unknown>();
		const { rig } = fetchChunks([stream({ pieceBytes: 10 })]);
		for (const request of rig.requests) seen.add(request.onBody);
		expect(seen.size).toBe(1);
	});

	it("refuses a body that ends early", () => {
		expect(fetchChunks([stream({ body: BODY.subarray(1) })]).codes).toEqual(["chunk-malformed"]);
	});

	it("refuses a body that goes on too long, and hands over nothing beyond the end", () => {
		const { codes, received } = fetchChunks([stream({ body: new Uint8Array(BODY.length + 1) })]);
		expect(codes).toEqual(["chunk-malformed"]);
		expect(received.length).toBeLessThanOrEqual(BODY.length);
	});

	it("refuses another content type before a byte is handed over", () => {
		const { codes, received } = fetchChunks([stream({ headers: { "content-type": "application/json" } })]);
		expect(codes).toEqual(["answer-malformed"]);
		expect(received).toEqual([]);
	});

	it("ends when the taker has had enough", () => {
		let pieceCount = 0;
		const { codes } = fetchChunks([stream()], () => ++pieceCount < 3);
		expect(codes).toEqual(["chunk-malformed"]);
		expect(pieceCount).toBe(3);
	});

	it("says when the connection broke in the middle", () => {
		expect(fetchChunks([stream({ failure: "response-truncated" })]).codes).toEqual(["network-unavailable"]);
		expect(fetchChunks([stream({ failure: "idle-timeout" })]).codes).toEqual(["network-timeout"]);
	});

	it("takes an authentic problem at its word, and hands over none of it", () => {
		const problem =
			(rig: CloudRig): Turn =>
			(nonce) =>
				rig.server.problem({ nonce, status: 404, code: "release-unknown" });
		const { codes, received } = fetchChunks([problem]);
		expect(codes).toEqual(["release-unknown"]);
		expect(received).toEqual([]);
	});

	it("asks again with the next nonce after a stale one", () => {
		const stale =
			(rig: CloudRig): Turn =>
			(nonce) =>
				rig.server.problem({ nonce, status: 401, code: "nonce-stale", next: 700 });
		const { rig, codes, received } = fetchChunks([stale, stream()]);
		expect(codes).toEqual([undefined]);
		expect(received).toEqual([...BODY]);
		expect(rig.server.nonces).toEqual([1, 700]);
	});

	it.each([204, 206, 500])("takes nothing from status %i", (status) => {
		expect(fetchChunks([stream({ status, body: new Uint8Array() })]).codes).toEqual(["http-status"]);
	});
});
