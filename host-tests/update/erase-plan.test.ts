import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { eraseStep, eraseTarget, extensionEnd, regionEnd } from "../../src/update/erase-plan.js";
import { findResumePoint } from "../../src/update/resume.js";

const BLOCK = 65_536;
const SECTOR = 4096;
const chunkBytes = fc.constantFrom(1024, 4096, 16_384, 32_768);
const sizeBytes = fc.integer({ min: 336, max: 2_000_000 });

describe("the erase plan", () => {
	it("covers the image, in whole sectors, within the slot", () => {
		fc.assert(
			fc.property(sizeBytes, fc.integer({ min: 0, max: 40 }), (size, spareSectors) => {
				const slotBytes = Math.ceil(size / SECTOR) * SECTOR + spareSectors * SECTOR;
				const end = regionEnd(size, slotBytes);
				expect(end).toBeGreaterThanOrEqual(size);
				expect(end).toBeLessThanOrEqual(slotBytes);
				expect(end % SECTOR).toBe(0);
				expect(end - size).toBeLessThan(BLOCK);
			}),
		);
	});

	it("is complete before the data gets there, one short erase after a chunk at most, in few extensions", () => {
		fc.assert(
			fc.property(sizeBytes, chunkBytes, (size, chunk) => {
				const end = regionEnd(size, 0x20_0000);
				let recorded = extensionEnd(0, end);
				let erased = recorded;
				let writes = 1;
				for (let frontier = 0; frontier < size; frontier = Math.min(size, frontier + chunk)) {
					expect(Math.min(size, frontier + chunk)).toBeLessThanOrEqual(recorded);
					const target = eraseTarget({
						frontierBytes: Math.min(size, frontier + chunk),
						recordedBytes: recorded,
						endBytes: end,
					});
					let steps = 0;
					while (erased < target) {
						erased += eraseStep(erased, extensionEnd(recorded, end));
						// A tail of a few sectors comes in pieces of four.
						expect(++steps).toBeLessThanOrEqual(2);
					}
					if (erased >= extensionEnd(recorded, end) && erased > recorded) {
						recorded = erased;
						writes++;
					}
				}
				expect(writes).toBeLessThanOrEqual(5);
			}),
		);
	});

	it("writes four records for 1,040 KB", () => {
		const end = regionEnd(1040 * 1024, 0x1f_0000);
		const ends = [];
		for (let at = 0; at < end; ) {
			at = extensionEnd(at, end);
			ends.push(at / 1024);
		}
		expect(ends).toEqual([64, 192, 576, 1088]);
	});
});

describe("the resume point", () => {
	it("is the chunk of the last used sector; what may be torn is erased again, a full chunk is kept", () => {
		fc.assert(
			fc.property(chunkBytes, fc.integer({ min: 0, max: 48 }), (chunk, usedSectors) => {
				const recordedBytes = 48 * SECTOR;
				const slots = { isErased: (offset: number) => offset >= usedSectors * SECTOR };
				const sizeBytes = recordedBytes - 100;
				const point = findResumePoint({ slots, recordedBytes, chunkBytes: chunk, sizeBytes });
				const torn = Math.max(0, usedSectors - 1) * SECTOR;
				const start = point.nextChunk * chunk;
				const isFull = usedSectors > 0 && chunk >= SECTOR && (usedSectors * SECTOR) % chunk === 0;
				const isLast = usedSectors * SECTOR >= sizeBytes && chunk >= SECTOR;
				expect(point.isHeld).toBe(isFull || isLast);
				expect(start).toBeLessThanOrEqual(torn);
				expect(torn - start).toBeLessThan(Math.max(chunk, SECTOR));
				expect(point.eraseFromBytes).toBe(point.isHeld ? torn + SECTOR : start);
				expect(point.eraseToBytes).toBe(
					usedSectors === 0 ? SECTOR : Math.min(recordedBytes, torn + 2 * SECTOR),
				);
			}),
		);
	});
});
