// A server that sheds load says when to come again: the device keeps away so long, and none of it counts as a failure, as
// a mark against the release, or as silence.
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import type { RequestKind } from "../fakes/fake-cloud.js";
import type { FakeDevice } from "../fakes/fake-device.js";
import { HOUR_MS, lines, MINUTE_MS, offering } from "./offering.js";

const PAUSE_SECONDS = 600;

interface Shedding {
	readonly kind: RequestKind;
	readonly count: number;
	readonly code?: ErrorCode;
	readonly seconds?: number;
}

/** The first `count` requests of a kind are shed; the device's own clock at each request of it. */
function shedding(device: FakeDevice, what: Shedding): number[] {
	const { kind, count, code = "server-unavailable", seconds = PAUSE_SECONDS } = what;
	const askedMs: number[] = [];
	const { server } = device;
	server.retryAfterSeconds = () => seconds;
	server.fault = (asked) => {
		if (asked !== kind) return undefined;
		askedMs.push(device.time.nowMs());
		return askedMs.length <= count ? code : undefined;
	};
	return askedMs;
}

/** A second for what lies between an answer and its request. */
function expectPauses(askedMs: readonly number[], pauseMs: number): void {
	for (const [index, ms] of askedMs.slice(1).entries()) {
		const gapMs = ms - (askedMs[index] ?? 0);
		expect(gapMs).toBeGreaterThanOrEqual(pauseMs);
		expect(gapMs).toBeLessThanOrEqual(1.5 * pauseMs + 1000);
	}
}

describe("a server that sheds load", () => {
	it.each(["manifest", "order", "chunks"] as const)(
		"is asked for the %s no sooner than it said, and the update goes on",
		(kind) => {
			const device = offering("1.1.0");
			const askedMs = shedding(device, { kind, count: 8 });
			const isOver = () => askedMs.length > 8;
			expect(device.run(4 * HOUR_MS, isOver)).toBe(true);
			expectPauses(askedMs, PAUSE_SECONDS * 1000);
			device.server.fault = () => undefined;
			expect(device.run(4 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
			expect(lines(device, /FAILED|retry|stalled/)).toEqual([]);
			expect(device.server.reports.filter(({ error }) => error !== undefined)).toEqual([]);
		},
	);

	it("is not asked sooner because the network comes back", () => {
		const device = offering("1.1.0");
		const askedMs = shedding(device, { kind: "manifest", count: 1 });
		device.run(HOUR_MS, () => lines(device, /put off by the server/).length > 0);
		device.updater?.networkUp();
		device.run(HOUR_MS, () => askedMs.length > 1);
		expect(askedMs).toHaveLength(2);
		expectPauses(askedMs, PAUSE_SECONDS * 1000);
	});

	it("fetches nothing twice: a chunk that is held stays held", () => {
		const device = offering("1.1.0");
		device.settings = { ...device.settings, chunksPerInterval: 1, intervalMs: 1000 };
		device.run(HOUR_MS, () => (device.server.sentChunks.size ?? 0) > 4);
		device.boot();
		shedding(device, { kind: "chunks", count: 2 });
		expect(device.run(4 * HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.server.heldChunks.length).toBeGreaterThan(1);
		expect([...device.server.sentChunks.values()].filter((count) => count > 1)).toEqual([]);
	});

	it("hears reports no sooner than it said, all that were kept", () => {
		const device = offering("1.1.0");
		device.server.release = undefined;
		const askedMs = shedding(device, { kind: "report", count: 3, code: "rate-limited" });
		expect(device.run(2 * HOUR_MS, () => device.server.reports.length > 0)).toBe(true);
		expect(askedMs).toHaveLength(4);
		expectPauses(askedMs, PAUSE_SECONDS * 1000);
	});

	it("does not hold a restart up that it should have been told of", () => {
		const device = offering("1.1.0");
		shedding(device, { kind: "report", count: 1 });
		expect(device.run(10 * MINUTE_MS, () => device.version === "1.1.0")).toBe(true);
	});

	it("costs a firmware on trial nothing, be it shed for longer than the trial", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => device.version === "1.1.0");
		shedding(device, { kind: "report", count: 6, code: "rate-limited" });
		expect(device.run(HOUR_MS, () => device.isSettledOn("1.1.0"))).toBe(true);
		expect(device.starts).toEqual(["1.0.0", "1.1.0"]);
		expect(device.time.nowMs()).toBeGreaterThan(device.settings.confirmSeconds * 1000);
	});

	it("does not draw a trial out where nobody knows that it is the server", () => {
		const device = offering("1.1.0");
		device.run(HOUR_MS, () => device.version === "1.1.0");
		shedding(device, { kind: "report", count: 1000, code: "http-status" });
		expect(device.run(HOUR_MS, () => device.version === "1.0.0")).toBe(true);
	});

	it.each(["manifest", "chunks", "report"] as const)(
		"is pressed less and less where it says the same few seconds for hours (%s)",
		(kind) => {
			const device = offering("1.1.0");
			if (kind === "report") device.server.release = undefined;
			const askedMs = shedding(device, { kind, count: 1000, seconds: 10 });
			device.run(6 * HOUR_MS);
			expect(askedMs.length).toBeGreaterThan(20);
			const gaps = askedMs.slice(1).map((ms, index) => ms - (askedMs[index] ?? 0));
			expect(Math.min(...gaps)).toBeGreaterThanOrEqual(10_000);
			for (const gapMs of gaps.slice(9)) {
				expect(gapMs).toBeGreaterThanOrEqual(480_000);
				expect(gapMs).toBeLessThanOrEqual(721_000);
			}
			expect(lines(device, /FAILED|stalled/)).toEqual([]);
		},
	);

	it("cannot silence a device for longer than about the time that it would be silent by itself", () => {
		const device = offering("1.1.0");
		device.settings = { ...device.settings, pollSeconds: 900 };
		const askedMs = shedding(device, {
			kind: "manifest",
			count: 4,
			code: "http-status",
			seconds: 999_999_999,
		});
		device.run(3 * HOUR_MS, () => askedMs.length > 4);
		expect(askedMs).toHaveLength(5);
		expectPauses(askedMs, 900_000);
	});

	it("is no silence: the device does not restart for want of an answer", () => {
		const device = offering("1.1.0");
		const askedMs = shedding(device, { kind: "manifest", count: 1000 });
		device.run(30 * HOUR_MS);
		expect(device.starts).toEqual(["1.0.0"]);
		expect(askedMs.length).toBeGreaterThan(100);
	});
});
