// Chunks that lie in flash when a download goes on: authenticated there, or fetched again, and never without an end.
import { describe, expect, it } from "vitest";
import { FRAME_OVERHEAD_BYTES } from "../../src/protocol/chunk-frames.js";
import type { FakeDevice } from "../fakes/fake-device.js";
import { HOUR_MS, lines, offering } from "./offering.js";

const CHUNK_BYTES = 4096;
const CHUNK_COUNT = 48;

/** Reset when seven chunks lie whole in flash. */
function interrupted(): FakeDevice {
	const device = offering("1.1.0");
	device.settings = { ...device.settings, chunkBytes: CHUNK_BYTES };
	device.run(HOUR_MS, () => (device.server.sentChunks.get(6) ?? 0) > 0);
	device.boot();
	return device;
}

/** Times that chunks were sent in full, beyond once each. */
function sentAgain(device: FakeDevice): [number, number][] {
	const counts = [...device.server.sentChunks];
	expect(counts).toHaveLength(CHUNK_COUNT);
	return counts.filter(([, count]) => count > 1);
}

function finish(device: FakeDevice): void {
	expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	expect(device.starts.at(-1)).toBe("1.1.0");
	expect(device.slots.violations).toEqual([]);
}

/** Requests for chunks after the reset. */
function requestCount(device: FakeDevice): number {
	return device.server.requests.filter((kind) => kind === "chunks").length - 1;
}

describe("a chunk that lies in flash after a reset", () => {
	it("is authenticated there and not sent again", () => {
		const device = interrupted();
		finish(device);
		expect(device.server.heldChunks).toEqual([6]);
		expect(sentAgain(device)).toEqual([]);
		// It alone, then the rest.
		expect(requestCount(device)).toBe(2);
	});

	it("is fetched as a whole from a server that sends it whatever it is told", () => {
		const device = interrupted();
		device.server.ignoresHeld = true;
		finish(device);
		expect(device.server.heldChunks).toEqual([6]);
		expect(requestCount(device)).toBe(2);
		expect(sentAgain(device).filter(([chunk]) => chunk !== 6)).toEqual([]);
	});

	it("is fetched as a whole when the MAC that comes for it is a lie, and that is no alarm", () => {
		const device = interrupted();
		device.server.tamper = (_chunk, frame) =>
			frame.length === FRAME_OVERHEAD_BYTES ? frame.map((byte, i) => (i < 4 ? byte : byte ^ 1)) : frame;
		finish(device);
		expect(device.server.heldChunks).toEqual([6]);
		expect(sentAgain(device)).toEqual([[6, 2]]);
		expect(lines(device, /chunk 6 was torn in flash/)).toHaveLength(1);
		expect(lines(device, /chunk-mac-mismatch/)).toEqual([]);
	});

	it("is asked about again when the connection broke before its MAC came", () => {
		const device = interrupted();
		let breakCount = 2;
		device.server.tamper = (_chunk, frame) =>
			frame.length === FRAME_OVERHEAD_BYTES && breakCount-- > 0 ? undefined : frame;
		finish(device);
		expect(device.server.heldChunks).toEqual([6, 6, 6]);
		expect(sentAgain(device)).toEqual([]);
	});

	it("is fetched as a whole when the power cut tore it, in its last program", () => {
		const whole = offering("1.1.0");
		whole.settings = { ...whole.settings, chunkBytes: CHUNK_BYTES };
		finish(whole);
		const programs = [...whole.power.operations.keys()].filter(
			(i) => whole.power.operations[i] === "program",
		);
		const device = offering("1.1.0");
		device.settings = whole.settings;
		// From 1; every third cut leaves no bit behind, which would hide the chunk (nor-slots.ts).
		const at = 1 + (programs.slice(6).find((i) => (i + 1) % 3 !== 0) ?? 0);
		const chunk = programs.indexOf(at - 1);
		device.power.cuts = [{ at, mode: "half" }];
		finish(device);
		expect(device.server.heldChunks).toEqual([chunk]);
		expect(requestCount(device)).toBe(2);
		// The time before, it did not come to its end.
		expect(sentAgain(device)).toEqual([]);
		expect(lines(device, new RegExp(`chunk ${chunk} was torn in flash, it is fetched again`))).toHaveLength(
			1,
		);
	});

	it("is forgotten with all that is in flash when its sectors cannot be erased again", () => {
		const device = interrupted();
		let isTorn = false;
		device.server.tamper = (_chunk, frame) => {
			if (frame.length !== FRAME_OVERHEAD_BYTES) return frame;
			isTorn = true;
			return frame.map((byte, i) => (i < 4 ? byte : byte ^ 1));
		};
		let faultCount = 1;
		device.power.isFaulty = (_count, operation) => operation === "erase" && isTorn && faultCount-- > 0;
		finish(device);
		expect(device.server.reports.some(({ error }) => error?.code === "flash-failed")).toBe(true);
		// After the reset; not again with what an erase that failed left behind.
		expect(lines(device, /download goes on at chunk/)).toHaveLength(1);
		expect(sentAgain(device)).toEqual([0, 1, 2, 3, 4, 5, 6].map((chunk) => [chunk, 2]));
	});

	it("is forgotten when another release is offered meanwhile", () => {
		const device = interrupted();
		device.server.release = offering("1.2.0").server.release;
		device.server.sentChunks.clear();
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.2.0"))).toBe(true);
		expect(device.server.heldChunks).toEqual([]);
		expect(sentAgain(device)).toEqual([]);
	});
});
