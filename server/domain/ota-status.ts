// What a report of system B's devices means in the terms of our own status report, which logs, history and rollouts are
// made from. Pure; called by ota-device-routes.ts.
import { isErrorCode } from "../../src/protocol/error-codes.js";
import { plainText } from "../../src/protocol/json.js";
import { REASON_MAX_CHARS } from "../../src/protocol/limits.js";
import { chunkCountOf } from "../../src/protocol/manifest.js";

import type { Chip } from "../../src/protocol/release-statement.js";
import type { ReportedError, StatusReport } from "../../src/protocol/status-report.js";

export const OTA_STATUSES = ["pending", "downloading", "installing", "success", "failed"] as const;
export type OtaStatusName = (typeof OTA_STATUSES)[number];

export interface OtaStatus {
	readonly status: OtaStatusName;
	/** Running. */
	readonly version: string | undefined;
	readonly bytesReceived: number | undefined;
	/** One of ours, or any other text. */
	readonly errorCode: string | undefined;
	readonly error: string | undefined;
}

export interface ReportedRelease {
	readonly version: string;
	readonly hash: string;
	readonly chip: Chip;
	readonly sizeBytes: number;
	readonly chunkBytes: number;
}

/** What the device said before, where it said anything. */
export interface KnownDevice {
	readonly deviceType: string;
	readonly version: string | undefined;
	readonly uptimeSeconds: number | undefined;
}

/** Such a device says nothing of its slots, its last reset and its uptime. */
const NOT_SAID = "unknown";
/** Where neither the report nor one before says what runs. */
const NO_VERSION = "0.0.0";

const STATES = {
	pending: { state: "CHECKING_MANIFEST", bootStatus: "normal" },
	downloading: { state: "DOWNLOADING", bootStatus: "normal" },
	installing: { state: "WRITING", bootStatus: "normal" },
	success: { state: "COMPLETED", bootStatus: "boot_successful" },
	failed: { state: "FAILED", bootStatus: "normal" },
} as const;

export function reportOfOtaStatus(
	told: OtaStatus,
	release: ReportedRelease,
	known: KnownDevice,
): StatusReport {
	const isDone = told.status === "success";
	return {
		...STATES[told.status],
		deviceType: known.deviceType,
		chip: release.chip,
		version: isDone ? release.version : (told.version ?? known.version ?? NO_VERSION),
		slot: NOT_SAID,
		resetReason: NOT_SAID,
		// Not below the one before: that would tell of a restart.
		uptimeSeconds: known.uptimeSeconds ?? 0,
		target: { version: release.version, hash: release.hash },
		...progressOf(told, release),
		error: told.status === "failed" ? errorOf(told) : undefined,
	};
}

function progressOf({ status, bytesReceived }: OtaStatus, release: ReportedRelease) {
	const { sizeBytes, chunkBytes } = release;
	const isWhole = status === "installing" || status === "success";
	const bytes = isWhole
		? sizeBytes
		: bytesReceived === undefined
			? undefined
			: Math.min(bytesReceived, sizeBytes);
	if (bytes === undefined) return {};
	const chunkCount = chunkCountOf(sizeBytes, chunkBytes);
	const chunksReceived = bytes === sizeBytes ? chunkCount : Math.floor(bytes / chunkBytes);
	return { offsetBytes: bytes, chunksReceived, chunkCount };
}

function errorOf({ errorCode, error }: OtaStatus): ReportedError {
	if (errorCode !== undefined && isErrorCode(errorCode)) return { code: errorCode, message: textOf(error) };
	const message = [errorCode, error].filter((text) => text !== undefined).join(": ");
	return { code: "device-failed", message: textOf(message) };
}

function textOf(text: string | undefined): string {
	return plainText(text ?? "", REASON_MAX_CHARS) ?? "no reason given";
}
