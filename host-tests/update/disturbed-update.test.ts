// Updates that are disturbed: resets, tampered and broken downloads, a server that is away, storage that is full.
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import type { FakeServer } from "../fakes/fake-cloud.js";
import type { FakeDevice } from "../fakes/fake-device.js";
import { HOUR_MS, lines, MINUTE_MS, offering } from "./offering.js";

describe("an update that is disturbed", () => {
	it("goes on after a reset in the middle, with at most one chunk fetched twice", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => (device.server.sentChunks.get(6) ?? 0) > 0);
		device.boot();
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		const again = [...device.server.sentChunks.values()].filter((count) => count > 1);
		expect(again.length).toBeLessThanOrEqual(1);
		expect(lines(device, /download goes on at chunk/)).toHaveLength(1);
	});

	it("rejects a tampered chunk, reports it, fetches it again and nothing else twice", () => {
		const device = offering("1.1.0");
		let isTampered = false;
		device.server.tamper = (chunk, frame) => {
			if (chunk !== 4 || isTampered) return frame;
			isTampered = true;
			const copy = frame.slice();
			copy[100] = (copy[100] ?? 0) ^ 1;
			return copy;
		};
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(lines(device, /^security chunk-mac-mismatch/)).toHaveLength(1);
		const event = device.server.reports.find((report) => report.error?.code === "chunk-mac-mismatch");
		expect(event?.isSecurityEvent).toBe(true);
		expect([...device.server.sentChunks.values()].every((count) => count === 1)).toBe(true);
	});

	it("gives up a chunk that is always tampered with after a bounded number of tries, and installs it later", () => {
		const device = offering("1.1.0");
		let isHostile = true;
		device.server.tamper = (chunk, frame) =>
			chunk === 4 && isHostile ? frame.map((byte) => byte ^ (byte & 1)) : frame;
		expect(device.run(10 * MINUTE_MS, () => lines(device, /download-stalled/).length > 0)).toBe(true);
		expect(device.server.requests.filter((kind) => kind === "chunks").length).toBeLessThanOrEqual(6);
		isHostile = false;
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it.each([["a body that ends early", (chunk: number) => (chunk === 3 ? undefined : new Uint8Array())]])(
		"goes on after %s",
		() => {
			const device = offering("1.1.0");
			let count = 0;
			device.server.tamper = (chunk, frame) => (chunk === 3 && count++ < 2 ? undefined : frame);
			expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		},
	);

	it("refuses short, long and moved frames, and then takes the right ones", () => {
		for (const spoil of [
			(frame: Uint8Array) => frame.slice(0, frame.length - 1),
			(frame: Uint8Array) => Uint8Array.from([...frame, 0]),
			(frame: Uint8Array) => {
				const copy = frame.slice();
				copy[2] = 1;
				return copy;
			},
		]) {
			const device = offering("1.1.0");
			let count = 0;
			device.server.tamper = (chunk, frame) => (chunk === 5 && count++ < 2 ? spoil(frame) : frame);
			expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
			expect(lines(device, /chunk-malformed|chunk-mac-mismatch/).length).toBeGreaterThan(0);
		}
	});

	it.each<[string, ErrorCode, (server: FakeServer) => void]>([
		[
			"a frame of a wrong length",
			"chunk-malformed",
			(server) => {
				server.tamper = (chunk, frame) => (chunk === 4 ? frame.slice().fill(1, 0, 4) : frame);
			},
		],
		[
			"silence",
			"network-timeout",
			(server) => {
				server.tamper = (chunk, frame) => (chunk === 4 ? undefined : frame);
			},
		],
		["a status that is none", "http-status", failing("http-status")],
		["what is no HTTP", "http-malformed", failing("http-malformed")],
	])("tells the server once of %s that comes again and again", (_what, code, spoil) => {
		const device = offering("1.1.0");
		spoil(device.server);
		expect(device.run(10 * MINUTE_MS, () => isTold(device, "download-stalled"))).toBe(true);
		expect(lines(device, new RegExp(`^warn ${code}: .*at chunk`)).length).toBeGreaterThanOrEqual(5);
		expect(device.server.reports.filter((report) => report.error?.code === code)).toHaveLength(1);
	});

	it("tells the server again of what went wrong again after it went well", () => {
		const device = offering("1.1.0");
		device.settings = { ...device.settings, chunksPerInterval: 4, intervalMs: 5000 };
		const toBreak = new Set([1, 2, 9]);
		device.server.tamper = (chunk, frame) => (toBreak.delete(chunk) ? undefined : frame);
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(lines(device, /^warn network-timeout/)).toHaveLength(3);
		const told = device.server.reports.filter((report) => report.error?.code === "network-timeout");
		expect(told).toHaveLength(2);
		expect(told[0]?.target?.version).toBe("1.1.0");
	});

	it("tells the server again of what still goes wrong at a later poll", () => {
		const device = offering("1.1.0");
		failing("http-status")(device.server);
		const told = (code: string) => device.server.reports.filter((report) => report.error?.code === code);
		expect(device.run(HOUR_MS, () => told("download-stalled").length === 2)).toBe(true);
		expect(told("http-status")).toHaveLength(2);
	});

	it("tells the server nothing of a network that is away", () => {
		const device = offering("1.1.0");
		failing("network-unavailable")(device.server);
		expect(device.run(10 * MINUTE_MS, () => isTold(device, "download-stalled"))).toBe(true);
		expect(isTold(device, "network-unavailable")).toBe(false);
	});

	it("only retries while the server is away for an hour in the middle of a download", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => (device.server.sentChunks.get(5) ?? 0) > 0);
		device.server.fault = () => "network-unavailable";
		device.server.tamper = () => undefined;
		device.run(HOUR_MS);
		const writes = device.power.count;
		expect(device.starts).toEqual(["1.0.0"]);
		device.server.fault = () => undefined;
		device.server.tamper = (_chunk, frame) => frame;
		expect(device.run(3 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.starts).toEqual(["1.0.0", "1.1.0"]);
		expect(writes).toBeLessThan(20);
		expect([...device.server.sentChunks.values()].filter((count) => count > 1)).toEqual([]);
	});

	it("keeps the outcome until the server takes it, over resets", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => lines(device, /state COMPLETED/).length > 0);
		device.server.fault = () => "network-unavailable";
		device.run(10 * MINUTE_MS);
		device.boot();
		device.run(10 * MINUTE_MS);
		expect(device.server.reports.some((report) => report.state === "COMPLETED")).toBe(false);
		device.server.fault = () => undefined;
		expect(device.run(2 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.server.reports.at(-1)?.bootStatus).toBe("boot_successful");
	});

	it("puts the update off while storage is full, erasing nothing beyond the first block, and does it afterwards", () => {
		const device = offering("1.1.0");
		device.power.isFaulty = (_count, operation) => operation === "store";
		device.run(4 * HOUR_MS);
		expect(device.version).toBe("1.0.0");
		expect(device.power.operations).not.toContain("program");
		expect(device.server.reports.some((report) => report.error?.code === "storage-failed")).toBe(true);
		device.power.isFaulty = () => false;
		expect(device.run(4 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
	});

	it("gives a release up whose image never has the signed hash", () => {
		const device = offering("1.1.0");
		const release = device.server.release;
		if (!release) throw new Error();
		const other = release.image.slice();
		other[5000] = (other[5000] ?? 0) ^ 1;
		device.server.release = { ...release, image: other };
		device.run(12 * HOUR_MS);
		expect(device.starts).toEqual(["1.0.0"]);
		const errors = device.server.reports.map((report) => report.error?.code).filter((code) => code);
		expect(errors).toEqual(["hash-mismatch", "hash-mismatch", "hash-mismatch", "release-known-bad"]);
		expect(Math.max(...device.server.sentChunks.values())).toBe(3);
	});
});

function isTold(device: FakeDevice, code: string): boolean {
	return device.server.reports.some((report) => report.error?.code === code);
}

/** Every request for chunks ends so. */
function failing(code: ErrorCode): (server: FakeServer) => void {
	return (server) => {
		server.fault = (kind) => (kind === "chunks" ? code : undefined);
	};
}
