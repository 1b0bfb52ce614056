// The last status report of each device.
import type { StatusReport } from "../../src/protocol/status-report.js";
import type { DeviceStatusRow, Records } from "./tables.js";

export async function findStatus(db: Records, deviceId: string): Promise<DeviceStatusRow | undefined> {
	return db.selectFrom("device_status").selectAll().where("device_id", "=", deviceId).executeTakeFirst();
}

export async function findStatuses(
	db: Records,
	deviceIds: readonly string[],
): Promise<Map<string, DeviceStatusRow>> {
	if (deviceIds.length === 0) return new Map();
	const rows = await db.selectFrom("device_status").selectAll().where("device_id", "in", deviceIds).execute();
	return new Map(rows.map((row) => [row.device_id, row]));
}

export async function saveStatus(
	db: Records,
	deviceId: string,
	report: StatusReport,
	sent: { readonly nonce: number | undefined; readonly nowMs: number },
): Promise<void> {
	const { nonce = null, nowMs } = sent;
	const row = { ...fieldsOf(report), ...errorFieldsOf(report, nowMs), reported_at_ms: nowMs, nonce };
	await db
		.insertInto("device_status")
		.values({ device_id: deviceId, ...row })
		.onConflict((conflict) => conflict.column("device_id").doUpdateSet(row))
		.execute();
}

function fieldsOf(report: StatusReport) {
	return {
		state: report.state,
		boot_status: report.bootStatus,
		device_type: report.deviceType,
		chip: report.chip,
		version: report.version,
		slot: report.slot,
		reset_reason: report.resetReason,
		uptime_s: report.uptimeSeconds,
		target_version: report.target?.version ?? null,
		target_hash: report.target?.hash ?? null,
		chunks_received: report.chunksReceived ?? null,
		chunk_count: report.chunkCount ?? null,
		is_verified: flag(report.isVerified),
		trial_boots: report.trialBoots ?? null,
		is_rolled_back: flag(report.isRolledBack),
		error_code: report.error?.code ?? null,
		error_message: report.error?.message ?? null,
	};
}

/** The board that spoke is gone. */
export async function forgetStatus(db: Records, deviceId: string): Promise<void> {
	await db.deleteFrom("device_status").where("device_id", "=", deviceId).execute();
}

/** Its nonces begin anew: no report from now on is older than the one there is. */
export async function forgetReportNonce(db: Records, deviceId: string): Promise<void> {
	await db.updateTable("device_status").set({ nonce: null }).where("device_id", "=", deviceId).execute();
}

// Left out when there is no error, so that the last one stays until an update was completed: then it is history.
function errorFieldsOf(report: StatusReport, nowMs: number) {
	if (report.error === undefined && report.state === "COMPLETED")
		return { last_error_code: null, last_error_message: null, last_error_at_ms: null };
	if (report.error === undefined) return {};
	return {
		last_error_code: report.error.code,
		last_error_message: report.error.message,
		last_error_at_ms: nowMs,
	};
}

function flag(value: boolean | undefined): number | null {
	return value === undefined ? null : Number(value);
}
