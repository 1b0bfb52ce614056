import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChunkFrameDecoder, encodeChunkFrame, framesLength } from "../../src/protocol/chunk-frames.js";
import { CHUNK_SIZES_BYTES } from "../../src/protocol/limits.js";
import { chunkCountOf, chunkLengthOf } from "../../src/protocol/manifest.js";

const image = fc.tuple(
	fc.uint8Array({ minLength: 1, maxLength: 9000 }),
	fc.constantFrom(1024, 4096),
	fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 30 }),
);

function frames(bytes: Uint8Array, chunkBytes: number): Uint8Array {
	const parts: number[] = [];
	for (let at = 0; at < bytes.length; at += chunkBytes)
		parts.push(...encodeChunkFrame(bytes.subarray(at, at + chunkBytes), new Uint8Array(32).fill(at % 251)));
	return Uint8Array.from(parts);
}

describe("a frame under way", () => {
	it("tells how many bytes it still wants, at every byte", () => {
		const frame = encodeChunkFrame(new Uint8Array(1024).fill(9), new Uint8Array(32));
		for (const isHeld of [false, true]) {
			const bytes = isHeld ? Uint8Array.from([...frame.subarray(0, 4), ...frame.subarray(1028)]) : frame;
			const decoder = new ChunkFrameDecoder(4096);
			decoder.expect(1024, isHeld);
			for (let at = 0; at < bytes.length; at++) {
				expect(decoder.wantedBytes).toBe(bytes.length - at);
				decoder.feed(bytes, at, 1);
			}
			expect(decoder.isComplete).toBe(true);
			expect(decoder.wantedBytes).toBe(1);
		}
	});
});

describe("frames of which the first is held", () => {
	it("are shorter by its data", () => {
		const shape = { sizeBytes: 10_000, chunkBytes: 4096 };
		const lengths = [
			{ first: 0, count: 3 },
			{ first: 0, count: 1 },
			{ first: 1, count: 2 },
			{ first: 2, count: 1 },
		].map((range) => framesLength({ ...shape, ...range, isFirstHeld: true }));
		expect(lengths).toEqual([5904 + 3 * 36, 36, 1808 + 2 * 36, 36]);
		expect(framesLength({ ...shape, first: 2, count: 1, isFirstHeld: false })).toBe(1808 + 36);
	});

	it("are decoded without its data, the next with them, in any pieces", () => {
		const mac = new Uint8Array(32).fill(5);
		const held = Uint8Array.from([0, 0, 4, 0, ...mac]);
		const next = encodeChunkFrame(new Uint8Array(1024).fill(9), mac.fill(6));
		const body = Uint8Array.from([...held, ...next]);
		for (const pieceBytes of [1, 3, 36, 37, 2000]) {
			const decoder = new ChunkFrameDecoder(1024);
			decoder.buffer.fill(7);
			decoder.expect(1024, true);
			const seen: number[][] = [];
			for (let at = 0; at < body.length; ) {
				const taken = decoder.feed(body, at, Math.min(pieceBytes, body.length - at));
				expect(taken, `taken at ${at}`).toBeGreaterThan(0);
				at += taken;
				if (!decoder.isComplete) continue;
				const { buffer, dataBytes } = decoder;
				seen.push([dataBytes, buffer[0] ?? 0, buffer[1023] ?? 0, buffer[1024] ?? 0, buffer[1055] ?? 0]);
				decoder.expect(1024);
			}
			expect(seen).toEqual([
				[1024, 7, 7, 5, 5],
				[1024, 9, 9, 6, 6],
			]);
		}
	});

	it("are refused where the length is not the one expected, as all others", () => {
		const decoder = new ChunkFrameDecoder(1024);
		decoder.expect(1024, true);
		expect(decoder.feed(Uint8Array.from([0, 0, 3, 255, 1, 2]), 0, 6)).toBe(4);
		expect(decoder.isMalformed).toBe(true);
	});
});

describe("the chunk frame decoder", () => {
	it("gives the image back, whatever pieces it comes in", () => {
		fc.assert(
			fc.property(image, ([bytes, chunkBytes, pieces]) => {
				const body = frames(bytes, chunkBytes);
				const count = chunkCountOf(bytes.length, chunkBytes);
				expect(framesLength({ first: 0, count, sizeBytes: bytes.length, chunkBytes })).toBe(body.length);
				const decoder = new ChunkFrameDecoder(chunkBytes);
				const out: number[] = [];
				let chunk = 0;
				decoder.expect(chunkLengthOf(chunk, bytes.length, chunkBytes));
				for (let at = 0, turn = 0; at < body.length; turn++) {
					const piece = Math.min(pieces[turn % pieces.length] ?? 1, body.length - at);
					for (let taken = 0; taken < piece; ) {
						taken += decoder.feed(body, at + taken, piece - taken);
						expect(decoder.isMalformed).toBe(false);
						if (!decoder.isComplete) continue;
						out.push(...decoder.buffer.subarray(0, decoder.dataBytes));
						expect(decoder.buffer[decoder.dataBytes]).toBe((chunk * chunkBytes) % 251);
						chunk++;
						if (chunk < count) decoder.expect(chunkLengthOf(chunk, bytes.length, chunkBytes));
					}
					at += piece;
				}
				expect(Uint8Array.from(out)).toEqual(bytes);
				expect(chunk).toBe(count);
			}),
		);
	});

	it("never takes more than it is given, never writes beyond its buffer, and stops at a wrong length", () => {
		fc.assert(
			fc.property(
				fc.uint8Array({ maxLength: 6000 }),
				fc.integer({ min: -5, max: 70_000 }),
				fc.constantFrom(...CHUNK_SIZES_BYTES),
				(bytes, expected, chunkBytes) => {
					const decoder = new ChunkFrameDecoder(chunkBytes);
					decoder.expect(expected);
					const taken = decoder.feed(bytes, 0, bytes.length);
					expect(taken).toBeLessThanOrEqual(bytes.length);
					expect(decoder.buffer.length).toBe(chunkBytes + 32);
					if (expected <= 0 || expected > chunkBytes) expect(decoder.isMalformed).toBe(true);
					if (decoder.isMalformed || decoder.isComplete) expect(decoder.feed(bytes, 0, bytes.length)).toBe(0);
				},
			),
		);
	});

	it("refuses a length that differs from the expected one before it keeps a byte of data", () => {
		for (const length of [0, 1023, 1025, 0xffff_ffff]) {
			const decoder = new ChunkFrameDecoder(1024);
			decoder.expect(1024);
			const head = new Uint8Array(64);
			new DataView(head.buffer).setUint32(0, length);
			expect(decoder.feed(head, 0, 64)).toBe(4);
			expect(decoder.isMalformed).toBe(true);
			expect(decoder.isComplete).toBe(false);
		}
	});
});
