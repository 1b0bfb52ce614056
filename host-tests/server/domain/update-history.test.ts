// What a report does to the newest update of a device, as a table; and what the end of an update does in a rollout.
import { describe, expect, it } from "vitest";
import { memberAfter, placeUntil } from "../../../server/domain/rollout-member.js";
import {
	bytesReceived,
	changeOfReport,
	isKnownBadAfter,
	type KnownUpdate,
	type UpdateStatus,
} from "../../../server/domain/update-history.js";
import type { ErrorCode } from "../../../src/protocol/error-codes.js";
import type { StatusReport } from "../../../src/protocol/status-report.js";

const target = { version: "1.1.0", hash: "a".repeat(64) };
const other = { version: "1.2.0", hash: "b".repeat(64) };
const idle: StatusReport = {
	state: "IDLE",
	bootStatus: "normal",
	deviceType: "t",
	chip: "esp32",
	version: "1.0.0",
	slot: "ota_0",
	resetReason: "sw",
	uptimeSeconds: 100,
};
const known = (status: UpdateStatus, errorCode?: string): KnownUpdate => ({
	status,
	stage: "DOWNLOADING",
	hash: target.hash,
	toVersion: target.version,
	errorCode,
	bytesReceived: 10,
});
const rebooting: KnownUpdate = { ...known("installing"), stage: "REBOOTING" };
const failure = (code: ErrorCode) => ({ error: { code, message: "m" } });

function change(latest: KnownUpdate | undefined, report: Partial<StatusReport>): string {
	const result = changeOfReport(latest, { ...idle, ...report });
	return result === undefined ? "nothing" : `${result.kind} ${result.status}`;
}

describe("a report", () => {
	it("leaves a record of a failure, none of a rollback that was ordered", () => {
		const back = { ...idle, state: "ROLLBACK", target, isRolledBack: true } as const;
		const crashed = changeOfReport(known("success"), { ...back, ...failure("boot-crashed") });
		expect(crashed?.flightRecord).toMatchObject({ error_code: "boot-crashed" });
		const ordered = changeOfReport(known("success"), { ...back, ...failure("rollback-requested") });
		expect(ordered).toMatchObject({ status: "rolled_back", error: { code: "rollback-requested" } });
		expect(ordered?.flightRecord).toBeUndefined();
	});

	it.each([
		["idle", undefined, {}, "nothing"],
		["a download", undefined, { state: "DOWNLOADING", target }, "begin downloading"],
		["a download that goes on", known("downloading"), { state: "DOWNLOADING", target }, "change downloading"],
		["a download that was offered", known("pending"), { state: "DOWNLOADING", target }, "change downloading"],
		[
			"a download of another image",
			known("downloading"),
			{ state: "DOWNLOADING", target: other },
			"begin downloading",
		],
		["a second try", known("failed", "flash-failed"), { state: "DOWNLOADING", target }, "begin downloading"],
		[
			"a device back from silence",
			known("failed", "silent"),
			{ state: "DOWNLOADING", target },
			"change downloading",
		],
		["a download that was taken back", known("aborted"), { state: "DOWNLOADING", target }, "nothing"],
		["a trial without a name", known("installing"), { state: "BOOT_VERIFICATION" }, "change installing"],
		["completion", known("installing"), { state: "COMPLETED", target }, "change success"],
		["completion again", known("success"), { state: "COMPLETED", target }, "nothing"],
		["completion after all was lost", undefined, { state: "COMPLETED", target }, "begin success"],
		["completion though taken back", known("aborted"), { state: "COMPLETED", target }, "change success"],
		[
			"failure",
			known("downloading"),
			{ state: "FAILED", target, ...failure("flash-failed") },
			"change failed",
		],
		[
			"failure without a name",
			known("downloading"),
			{ state: "FAILED", ...failure("flash-failed") },
			"change failed",
		],
		[
			"failure again",
			known("failed", "flash-failed"),
			{ state: "FAILED", target, ...failure("flash-failed") },
			"nothing",
		],
		["a failure of nothing", undefined, { state: "FAILED", ...failure("storage-failed") }, "nothing"],
		[
			"an order that failed",
			known("success"),
			{ state: "FAILED", rollbackOrderId: 7, ...failure("rollback-impossible") },
			"nothing",
		],
		["an offer refused", known("pending"), { target, ...failure("image-too-large") }, "change failed"],
		["an offer refused by itself", undefined, { target, ...failure("image-too-large") }, "begin failed"],
		["an offer refused again", known("rolled_back"), { target, ...failure("release-known-bad") }, "nothing"],
		["a poll that failed", known("downloading"), failure("server-unavailable"), "nothing"],
		[
			"a bad chunk on the way",
			known("downloading"),
			{ state: "DOWNLOADING", target, ...failure("chunk-mac-mismatch") },
			"change downloading",
		],
		["a rollback announced", known("installing"), { state: "ROLLBACK", target }, "nothing"],
		[
			"a rollback",
			known("installing"),
			{ state: "ROLLBACK", target, isRolledBack: true, ...failure("boot-crashed") },
			"change rolled_back",
		],
		[
			"a rollback by order",
			known("success"),
			{ state: "ROLLBACK", target, isRolledBack: true, rollbackOrderId: 7 },
			"change rolled_back",
		],
		["a rollback again", known("rolled_back"), { state: "ROLLBACK", target, isRolledBack: true }, "nothing"],
		["the version found running", known("downloading"), { version: "1.1.0" }, "change success"],
		["the old firmware behind the restart", rebooting, {}, "change failed"],
		["the old firmware before the restart", rebooting, { state: "REBOOTING", target }, "change installing"],
		["the old firmware while the image is checked", known("installing"), {}, "nothing"],
		[
			"a trial behind the restart",
			rebooting,
			{ version: "1.1.0", bootStatus: "boot_verification" },
			"nothing",
		],
		["the new firmware behind the restart", rebooting, { version: "1.1.0" }, "change success"],
		["the old firmware, back again", known("failed", "came-back"), {}, "nothing"],
		[
			"the reason, told late",
			known("failed", "came-back"),
			{ state: "ROLLBACK", target, isRolledBack: true, ...failure("boot-crashed") },
			"change rolled_back",
		],
		[
			"the end, though it was thought back",
			known("failed", "came-back"),
			{ state: "COMPLETED", target },
			"change success",
		],
		[
			"a new try after it came back",
			known("failed", "came-back"),
			{ state: "DOWNLOADING", target },
			"begin downloading",
		],
		[
			"the version on trial",
			known("downloading"),
			{ version: "1.1.0", bootStatus: "boot_verification" },
			"nothing",
		],
	] as const)("of %s", (_name, latest, report, expected) => {
		expect(change(latest, report)).toBe(expected);
	});

	it("gives the bytes that have come, from the offset or the chunks", () => {
		const of = (more: Partial<StatusReport>, sizeBytes?: number) =>
			bytesReceived({ ...idle, ...more }, sizeBytes);
		expect(of({ offsetBytes: 5 }, 10)).toBe(5);
		expect(of({ chunksReceived: 2, chunkCount: 3 }, 10_000)).toBe(8192);
		expect(of({ chunksReceived: 3, chunkCount: 3 }, 10_000)).toBe(10_000);
		expect(of({ chunksReceived: 3, chunkCount: 3 })).toBeUndefined();
		expect(of({}, 10)).toBeUndefined();
	});
});

describe("a device in a rollout", () => {
	const facts = {
		attempts: 1,
		errorCode: undefined,
		isBegun: true,
		retry: { max_attempts: 2, delay_minutes: 5 },
		nowMs: 1000,
	};

	it("is tried again after a failure, while it may be", () => {
		const change = memberAfter("failed", { ...facts, errorCode: "download-stalled" });
		expect(change).toMatchObject({ status: "retrying", next_try_at_ms: 301_000, finished_at_ms: null });
		expect(memberAfter("failed", { ...facts, attempts: 2 })).toMatchObject({ status: "failed" });
	});

	it.each(["silent", "signature-invalid", "image-too-large", "release-known-bad"])(
		"is not tried again after %s",
		(errorCode) => {
			expect(memberAfter("failed", { ...facts, errorCode })).toMatchObject({ status: "failed" });
		},
	);

	it("that went away before it began waits for its return", () => {
		const change = memberAfter("failed", { ...facts, attempts: 2, errorCode: "silent", isBegun: false });
		expect(change).toMatchObject({ status: "retrying", next_try_at_ms: 1000 });
	});

	it("has its place for ten minutes however often it asks, and again ten minutes later, for a minute", () => {
		const MINUTE = 60_000;
		expect(placeUntil(undefined, 0)).toBe(10 * MINUTE);
		expect(placeUntil(10 * MINUTE, 9 * MINUTE)).toBe(10 * MINUTE);
		expect(placeUntil(10 * MINUTE, 10 * MINUTE)).toBeUndefined();
		expect(placeUntil(10 * MINUTE, 20 * MINUTE - 1)).toBeUndefined();
		expect(placeUntil(10 * MINUTE, 20 * MINUTE)).toBe(21 * MINUTE);
	});

	it("holds its download place until the image is there", () => {
		const leases = (["pending", "downloading", "installing", "success"] as const).map(
			(status) => memberAfter(status, facts).lease_until_ms !== null,
		);
		expect(leases).toEqual([true, true, false, false]);
	});
});

describe("whether a device refuses a release from then on", () => {
	it.each([
		["rolled_back", "boot-crashed", true],
		["rolled_back", "rollback-requested", true],
		["failed", "release-known-bad", true],
		["failed", "image-invalid", true],
		["failed", "chip-mismatch", true],
		["failed", "download-stalled", false],
		["aborted", null, false],
		["success", null, false],
	] as const)("shows where its update to it is %s with %s: %s", (status, error_code, isBad) => {
		expect(isKnownBadAfter({ status, error_code })).toBe(isBad);
	});
});
