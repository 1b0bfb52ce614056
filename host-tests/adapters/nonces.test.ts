// No nonce twice and none below an earlier one, whatever happens to power and storage, at few writes.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
	NONCE_BLOCK_COUNT,
	NONCE_FIRST_MAX,
	NONCE_NAME,
	NONCE_TAKEN_MAX,
	Nonces,
} from "../../src/adapters/nonces.js";
import { MemoryTexts } from "../fakes/memory-texts.js";
import { RecordingLog } from "../fakes/recording-log.js";

/** The chance that draws lowest, so that counting without storage begins at 1. */
const LOWEST = () => 0;

function boot(
	storage: MemoryTexts,
	log = new RecordingLog(),
	below: (bound: number) => number = LOWEST,
): Nonces {
	return new Nonces({ storage, random: { below }, log });
}

describe("nonces", () => {
	it("begin at chance when there is nothing in storage, so that recorded answers do not fit", () => {
		const middle = (bound: number) => Math.floor(bound / 2);
		const highest = (bound: number) => bound - 1;
		expect(boot(new MemoryTexts(), undefined, middle).next()).toBe(NONCE_FIRST_MAX / 2 + 2 ** 19 + 1);
		expect(boot(new MemoryTexts(), undefined, highest).next()).toBe(NONCE_FIRST_MAX);
	});

	it("go on where storage says, whatever chance would say", () => {
		const storage = new MemoryTexts();
		boot(storage).next();
		expect(boot(storage, undefined, (bound) => bound - 1).next()).toBe(1 + NONCE_BLOCK_COUNT);
	});

	it("begin at the lowest draw, and storage is not touched before the first is needed", () => {
		const storage = new MemoryTexts();
		const nonces = boot(storage);
		expect(storage.writeCount).toBe(0);
		expect(nonces.next()).toBe(1);
		expect(storage.texts.get(NONCE_NAME)).toBe(String(1 + NONCE_BLOCK_COUNT));
	});

	it("cost one write a block", () => {
		const storage = new MemoryTexts();
		const nonces = boot(storage);
		for (let i = 0; i < 3 * NONCE_BLOCK_COUNT; i += 1) expect(nonces.next()).toBe(i + 1);
		expect(storage.writeCount).toBe(3);
	});

	it("rise strictly over restarts at any moment", () => {
		const runs = fc.array(fc.integer({ min: 0, max: 2 * NONCE_BLOCK_COUNT + 2 }), { maxLength: 12 });
		fc.assert(
			fc.property(runs, (counts) => {
				const storage = new MemoryTexts();
				let last = 0;
				for (const count of counts) {
					const nonces = boot(storage);
					for (let i = 0; i < count; i += 1) {
						const nonce = nonces.next();
						if (nonce <= last) return false;
						last = nonce;
					}
				}
				return true;
			}),
		);
	});

	it("rise strictly over restarts when the server moves them ahead", () => {
		const step = fc.oneof(fc.constant("next"), fc.constant("restart"), fc.integer({ min: 1, max: 5000 }));
		fc.assert(
			fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
				const storage = new MemoryTexts();
				let nonces = boot(storage);
				let last = 0;
				for (const current of steps) {
					if (current === "restart") nonces = boot(storage);
					else if (current !== "next") expect(nonces.skipTo(current)).toBe(true);
					const nonce = nonces.next();
					expect(nonce).toBeGreaterThan(last);
					if (typeof current === "number") expect(nonce).toBeGreaterThanOrEqual(current);
					last = nonce;
				}
			}),
		);
	});

	it("persist what the server set before it is used", () => {
		const storage = new MemoryTexts();
		const nonces = boot(storage);
		nonces.next();
		expect(nonces.skipTo(90_000)).toBe(true);
		expect(storage.texts.get(NONCE_NAME)).toBe(String(90_000 + NONCE_BLOCK_COUNT));
		expect(nonces.next()).toBe(90_000);
		expect(boot(storage).next()).toBe(90_000 + NONCE_BLOCK_COUNT);
	});

	it("are never moved back by the server", () => {
		const nonces = boot(new MemoryTexts());
		nonces.skipTo(500);
		expect(nonces.skipTo(10)).toBe(true);
		expect(nonces.next()).toBe(500);
	});

	it.each([0, -1, 1.5, Number.NaN, NONCE_TAKEN_MAX + 1, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])(
		"are not set to %s, whoever says so",
		(value) => {
			const nonces = boot(new MemoryTexts());
			expect(nonces.skipTo(value)).toBe(false);
			expect(nonces.next()).toBe(1);
		},
	);

	it("begin anew when storage is gone", () => {
		const storage = new MemoryTexts();
		boot(storage).next();
		storage.texts.clear();
		expect(boot(storage).next()).toBe(1);
	});

	it.each(["", "abc", "-5", "1e3", "0", "007", "99999999999999999999", String(Number.MAX_SAFE_INTEGER)])(
		"begin anew when storage holds '%s', and say so",
		(text) => {
			const storage = new MemoryTexts();
			const log = new RecordingLog();
			storage.texts.set(NONCE_NAME, text);
			expect(boot(storage, log).next()).toBe(1);
			expect(log.lines).toHaveLength(1);
		},
	);

	it("go on in memory when storage cannot be written, with one line a block, and never repeat in that run", () => {
		const storage = new MemoryTexts();
		const log = new RecordingLog();
		storage.isWritable = false;
		const nonces = boot(storage, log);
		for (let i = 0; i < 2 * NONCE_BLOCK_COUNT; i += 1) expect(nonces.next()).toBe(i + 1);
		expect(log.lines).toHaveLength(2);
		expect(log.lines[0]).toContain("storage-failed");
		storage.isWritable = true;
		expect(nonces.next()).toBe(2 * NONCE_BLOCK_COUNT + 1);
		expect(boot(storage).next()).toBe(3 * NONCE_BLOCK_COUNT + 1);
	});

	it("are not used twice over restarts where storage can be read and not written", () => {
		const storage = new MemoryTexts();
		boot(storage).next();
		storage.isWritable = false;
		const used = new Set<number>();
		let seed = 1;
		const below = (bound: number) => {
			seed = (seed * 48_271) % 0x7fff_ffff;
			return Math.floor((seed / 0x7fff_ffff) * bound);
		};
		for (let life = 0; life < 20; life++) {
			const nonces = boot(storage, undefined, below);
			for (let i = 0; i < 600; i++) used.add(nonces.next());
		}
		expect(used.size).toBe(20 * 600);
		expect(Math.max(...used)).toBeLessThan(NONCE_TAKEN_MAX);
	});

	it("begin anew when storage cannot be read", () => {
		const storage = new MemoryTexts();
		const log = new RecordingLog();
		storage.isReadable = false;
		expect(boot(storage, log).next()).toBe(1);
		expect(log.lines[0]).toContain("reading nonce");
	});
});
