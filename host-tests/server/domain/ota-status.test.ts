// Reports of system B's devices, in our own terms.
import { describe, expect, it } from "vitest";
import { OTA_STATUSES, type OtaStatus, reportOfOtaStatus } from "../../../server/domain/ota-status.js";
import { utf8Encode } from "../../../src/protocol/encoding.js";
import { encodeStatusReport, parseStatusReport } from "../../../src/protocol/status-report.js";

const HASH = "ab".repeat(32);
const RELEASE = { version: "2.0.0", hash: HASH, chip: "esp32", sizeBytes: 10_000, chunkBytes: 4096 } as const;
const KNOWN = { deviceType: "lamp", version: "1.0.0", uptimeSeconds: 70 };

function reportOf(changes: Partial<OtaStatus>, known: Parameters<typeof reportOfOtaStatus>[2] = KNOWN) {
	const nothing = { version: undefined, bytesReceived: undefined, errorCode: undefined, error: undefined };
	return reportOfOtaStatus({ status: "downloading", ...nothing, ...changes }, RELEASE, known);
}

describe("a report of system B", () => {
	it.each([
		["pending", "CHECKING_MANIFEST", "normal", "1.0.0"],
		["downloading", "DOWNLOADING", "normal", "1.0.0"],
		["installing", "WRITING", "normal", "1.0.0"],
		["success", "COMPLETED", "boot_successful", "2.0.0"],
		["failed", "FAILED", "normal", "1.0.0"],
	] as const)("of %s is %s", (status, state, bootStatus, version) => {
		const report = reportOf({ status });
		expect(report).toMatchObject({ state, bootStatus, version, target: { version: "2.0.0", hash: HASH } });
	});

	it("counts bytes as chunks, the last one only when it is whole", () => {
		const chunks = (bytesReceived: number) => {
			const { offsetBytes, chunksReceived, chunkCount } = reportOf({ bytesReceived });
			return [offsetBytes, chunksReceived, chunkCount];
		};
		expect([chunks(0), chunks(4095), chunks(8192), chunks(9999), chunks(10_000), chunks(99_999)]).toEqual([
			[0, 0, 3],
			[4095, 0, 3],
			[8192, 2, 3],
			[9999, 2, 3],
			[10_000, 3, 3],
			[10_000, 3, 3],
		]);
		expect(reportOf({ status: "installing" }).offsetBytes).toBe(10_000);
	});

	it("keeps an error code that is known, and the text of any other", () => {
		const errorOf = (errorCode: string | undefined, error: string | undefined) =>
			reportOf({ status: "failed", errorCode, error }).error;
		expect(errorOf("hash-mismatch", "bad")).toEqual({ code: "hash-mismatch", message: "bad" });
		expect(errorOf("E42", "no space")).toEqual({ code: "device-failed", message: "E42: no space" });
		expect(errorOf(undefined, undefined)).toEqual({ code: "device-failed", message: "no reason given" });
		expect(errorOf("E", "x".repeat(500))?.message).toHaveLength(120);
		expect(reportOf({ status: "success", error: "none" }).error).toBeUndefined();
	});

	it("of any kind is one that our own devices could send", () => {
		const unknown = { deviceType: "lamp", version: undefined, uptimeSeconds: undefined };
		for (const known of [KNOWN, unknown])
			for (const status of OTA_STATUSES) {
				const report = reportOf({ status, bytesReceived: 5000, errorCode: "E", error: "e" }, known);
				expect(parseStatusReport(utf8Encode(encodeStatusReport(report)))).toMatchObject({
					state: report.state,
					version: report.version,
				});
			}
	});
});
