// Which events a webhook gets, when it is tried again, when it is given up.
import { describe, expect, it } from "vitest";
import {
	ATTEMPTS_MAX,
	DEACTIVATE_AFTER_MS,
	deactivationReason,
	isWanted,
	nextTryMs,
	RETRY_PAUSES_MS,
} from "../../../server/domain/webhook.js";

const ALL = { log: null, types: null, deviceId: null };
const event = { log: "fota", type: "boot_failed", device_id: "d" } as const;
const failed = { responseStatus: 500, durationMs: 1, error: "answered 500" };

describe("a webhook's filter", () => {
	it.each([
		[ALL, event, true],
		[ALL, { ...event, type: "chunk_received" }, false],
		[{ ...ALL, types: ["chunk_received"] }, { ...event, type: "chunk_received" }, true],
		[{ ...ALL, types: ["chunk_received"] }, event, false],
		[{ ...ALL, log: "security" as const }, event, false],
		[{ ...ALL, deviceId: "d" }, event, true],
		[{ ...ALL, deviceId: "e" }, event, false],
		[{ ...ALL, deviceId: "e" }, { ...event, device_id: null }, false],
	])("%j lets %j through: %s", (filter, one, expected) => {
		expect(isWanted(filter, one)).toBe(expected);
	});
});

describe("an attempt that failed", () => {
	it("is repeated seven times within 24 hours, whatever chance says", () => {
		expect(ATTEMPTS_MAX).toBe(8);
		const last = RETRY_PAUSES_MS.reduce((nowMs, _pause, at) => nextTryMs(at + 1, nowMs, 1) ?? 0, 0);
		expect(last).toBeLessThanOrEqual(24 * 3_600_000);
		expect(nextTryMs(ATTEMPTS_MAX, 0, 0)).toBeUndefined();
	});

	it("is repeated after pauses that chance alone never puts in another order", () => {
		for (let attempts = 1; attempts < RETRY_PAUSES_MS.length; attempts++)
			expect(nextTryMs(attempts, 0, 1)).toBeLessThan(nextTryMs(attempts + 1, 0, 0) ?? 0);
	});

	it("switches the webhook off after five days without a success, or when the receiver is gone", () => {
		expect(deactivationReason(failed, 0, DEACTIVATE_AFTER_MS - 1)).toBeUndefined();
		expect(deactivationReason(failed, 0, DEACTIVATE_AFTER_MS)).toContain("5 days");
		expect(deactivationReason({ ...failed, responseStatus: 410 }, 0, 0)).toContain("410");
	});
});
