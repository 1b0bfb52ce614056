// Writes down what a report means for the history of updates and for the rollout the update belongs to. Called within
// the report's transaction and under the lock of the device; the decisions are domain/update-history.ts and
// domain/rollout-member.ts.
import type { StatusReport } from "../../src/protocol/status-report.js";
import type { LogEvent } from "../domain/event.js";
import { afterSuperseded, memberAfter } from "../domain/rollout-member.js";
import { isThrough } from "../domain/rollout-offer.js";
import { OFFERING_STATES } from "../domain/rollout-plan.js";
import {
	bytesReceived,
	CAME_BACK_ERROR,
	changeOfReport,
	type FlightRecord,
	hasComeBack,
	isOpen,
	type KnownUpdate,
	SILENT,
	type UpdateChange,
} from "../domain/update-history.js";
import { lockDevice } from "./locks.js";
import { findRelease } from "./release-store.js";
import { changeMember, findMember, findMemberOfRelease } from "./rollout-member-store.js";
import { changeRollout, findRollout, lockRollout, planOf } from "./rollout-store.js";
import type { Records, ReleaseRow, UpdateRow } from "./tables.js";
import { type AddedUpdate, addUpdate } from "./update-history-store.js";
import { changeUpdate, findLatestUpdate } from "./update-store.js";

const ENDLESS_RETRY = { max_attempts: Number.POSITIVE_INFINITY, delay_minutes: 0 };

export interface UpdateReport {
	readonly deviceId: string;
	/** As registered: releases are known by type and version. */
	readonly deviceType: string;
	readonly report: StatusReport;
	/** What ran by the report before. */
	readonly versionBefore: string | undefined;
	readonly nowMs: number;
}

export interface RecordedUpdate {
	/** The rollout that must be looked at because a device of it failed. */
	readonly rolloutId: number | undefined;
	/** To be logged at the end of the transaction. */
	readonly events: readonly LogEvent[];
}

export async function recordUpdate(db: Records, told: UpdateReport): Promise<RecordedUpdate> {
	const latest = await findLatestUpdate(db, told.deviceId);
	const change = changeOfReport(latest && knownOf(latest), told.report);
	if (change === undefined) return { rolloutId: undefined, events: [] };
	const { row, events } =
		change.kind === "change" && latest !== undefined
			? await continueUpdate(db, latest, { change, told })
			: await beginUpdate(db, latest, { change, told });
	await followUpdate(db, row, told.nowMs);
	const isFailure = row.status === "failed" || row.status === "rolled_back";
	return { rolloutId: isFailure ? (row.rollout_id ?? undefined) : undefined, events };
}

function knownOf(row: UpdateRow): KnownUpdate {
	return {
		status: row.status,
		stage: row.stage ?? undefined,
		hash: row.hash ?? undefined,
		toVersion: row.to_version ?? undefined,
		errorCode: row.error_code ?? undefined,
		bytesReceived: row.bytes_received,
	};
}

interface Step {
	readonly change: UpdateChange;
	readonly told: UpdateReport;
}

async function continueUpdate(db: Records, row: UpdateRow, { change, told }: Step): Promise<AddedUpdate> {
	const continued = await changeUpdate(db, row.id, {
		...fieldsOf(change, told.nowMs),
		stage: change.stage ?? row.stage,
		bytes_received: bytesOf(told.report, change, row),
	});
	return { row: continued, events: [] };
}

async function beginUpdate(
	db: Records,
	latest: UpdateRow | undefined,
	{ change, told }: Step,
): Promise<AddedUpdate> {
	const { deviceId, report, nowMs } = told;
	if (latest !== undefined && isOpen(latest.status)) await supersedeUpdate(db, latest, nowMs);
	const toVersion = report.target?.version ?? report.version;
	const release = await releaseOf(db, told, toVersion);
	const member = release && (await findMemberOfRelease(db, deviceId, release.id));
	const hash = report.target?.hash ?? null;
	const isAgain = hash !== null && latest?.hash === hash;
	const total = { bytes_total: release?.size_bytes ?? null, bytes_received: 0 };
	return addUpdate(db, {
		...fieldsOf(change, nowMs),
		device_id: deviceId,
		release_id: release?.id ?? null,
		rollout_id: member?.rollout_id ?? null,
		wave: member?.wave ?? null,
		stage: change.stage ?? null,
		attempt: member?.attempts ?? (isAgain ? latest.attempt + 1 : 1),
		from_version: versionFrom(told, toVersion),
		to_version: toVersion,
		hash,
		bytes_total: total.bytes_total,
		bytes_received: bytesOf(report, change, total),
		started_at_ms: nowMs,
	});
}

// Only the very image counts as the release: another one of the same version may have been pushed.
async function releaseOf(
	db: Records,
	{ deviceType, report }: UpdateReport,
	version: string,
): Promise<ReleaseRow | undefined> {
	const release = await findRelease(db, deviceType, version);
	const hash = report.target?.hash;
	return hash === undefined || release?.hash === hash ? release : undefined;
}

function versionFrom({ report, versionBefore }: UpdateReport, toVersion: string): string | null {
	if (report.version !== toVersion) return report.version;
	return versionBefore === undefined || versionBefore === toVersion ? null : versionBefore;
}

function fieldsOf(change: UpdateChange, nowMs: number) {
	return {
		status: change.status,
		changed_at_ms: nowMs,
		finished_at_ms: isOpen(change.status) ? null : nowMs,
		error_code: change.error?.code ?? null,
		error_message: change.error?.message ?? null,
		flight_record: change.flightRecord === undefined ? null : JSON.stringify(change.flightRecord),
	};
}

function bytesOf(
	report: StatusReport,
	{ status }: UpdateChange,
	known: Pick<UpdateRow, "bytes_total" | "bytes_received">,
): number {
	const total = known.bytes_total ?? undefined;
	if (status === "installing" || status === "success") return total ?? known.bytes_received;
	return bytesReceived(report, total) ?? known.bytes_received;
}

/** Taken back; the rollout it belongs to learns of it. */
export async function abortUpdate(db: Records, row: UpdateRow, nowMs: number): Promise<void> {
	const change = { status: "aborted", changed_at_ms: nowMs, finished_at_ms: nowMs } as const;
	await followUpdate(db, await changeUpdate(db, row.id, change), nowMs);
}

/** Given up for another one; in its rollout the device may come to its turn again. */
export async function supersedeUpdate(db: Records, row: UpdateRow, nowMs: number): Promise<void> {
	await abortUpdate(db, row, nowMs);
	if (row.rollout_id === null) return;
	const key = { rolloutId: row.rollout_id, deviceId: row.device_id };
	const rollout = await findRollout(db, row.rollout_id);
	const member = await findMember(db, key);
	if (rollout === undefined || member === undefined || !OFFERING_STATES.includes(rollout.state)) return;
	await changeMember(db, key, afterSuperseded(member.attempts, nowMs));
}

/** Ends the update of a device that fell silent. */
export async function endSilentUpdate(db: Records, row: UpdateRow, nowMs: number): Promise<void> {
	await failUnsaid(db, row, { code: SILENT, message: "the device was not heard of since", nowMs });
}

/**
 * The device asks for updates with this version: where that shows that it came back from the update behind its restart,
 * the update ends. Returns the rollout that must be looked at. Takes the lock of the device.
 */
export async function noteReturn(
	db: Records,
	asked: { readonly deviceId: string; readonly version: string; readonly nowMs: number },
): Promise<number | undefined> {
	const { deviceId, version, nowMs } = asked;
	if (!isBack(await findLatestUpdate(db, deviceId), version)) return undefined;
	return db.transaction().execute(async (transaction) => {
		await lockDevice(transaction, deviceId);
		const latest = await findLatestUpdate(transaction, deviceId);
		if (latest === undefined || !isBack(latest, version)) return undefined;
		await failUnsaid(transaction, latest, { ...CAME_BACK_ERROR, nowMs });
		return latest.rollout_id ?? undefined;
	});
}

function isBack(latest: UpdateRow | undefined, version: string): boolean {
	return latest !== undefined && hasComeBack(knownOf(latest), version);
}

interface UnsaidFailure {
	readonly code: string;
	readonly message: string;
	readonly nowMs: number;
}

async function failUnsaid(
	db: Records,
	row: UpdateRow,
	{ code, message, nowMs }: UnsaidFailure,
): Promise<void> {
	const record: Partial<FlightRecord> = {
		stage: row.stage,
		offset_bytes: row.bytes_received,
		error_code: code,
		error: message,
	};
	const ended = await changeUpdate(db, row.id, {
		status: "failed",
		changed_at_ms: nowMs,
		finished_at_ms: nowMs,
		error_code: code,
		error_message: message,
		flight_record: JSON.stringify(record),
	});
	await followUpdate(db, ended, nowMs);
}

export interface OfferedTry {
	readonly deviceId: string;
	readonly release: ReleaseRow;
	readonly rolloutId: number;
	readonly wave: number;
	readonly attempt: number;
	readonly fromVersion: string | undefined;
	readonly nowMs: number;
}

/** A rollout offers a release: the update is pending until its download is seen. Returns events for the transaction's end. */
export async function openPendingUpdate(db: Records, item: OfferedTry): Promise<readonly LogEvent[]> {
	const latest = await findLatestUpdate(db, item.deviceId);
	const place = { rollout_id: item.rolloutId, wave: item.wave, attempt: item.attempt };
	if (latest !== undefined && isOpen(latest.status)) {
		if (latest.hash === item.release.hash) {
			if (latest.rollout_id !== item.rolloutId) await changeUpdate(db, latest.id, place);
			return [];
		}
		await supersedeUpdate(db, latest, item.nowMs);
	}
	const { events } = await addUpdate(db, {
		...place,
		device_id: item.deviceId,
		release_id: item.release.id,
		status: "pending",
		from_version: item.fromVersion ?? null,
		to_version: item.release.version,
		hash: item.release.hash,
		bytes_total: item.release.size_bytes,
		started_at_ms: item.nowMs,
		changed_at_ms: item.nowMs,
	});
	return events;
}

/** Brings the device's row in its rollout in line with the update. */
export async function followUpdate(db: Records, row: UpdateRow, nowMs: number): Promise<void> {
	if (row.rollout_id === null) return;
	const key = { rolloutId: row.rollout_id, deviceId: row.device_id };
	const rollout = await findRollout(db, row.rollout_id);
	const member = await findMember(db, key);
	if (rollout === undefined || member === undefined) return;
	const isCompleted = rollout.state === "completed";
	const change = memberAfter(row.status, {
		attempts: member.attempts,
		errorCode: row.error_code ?? undefined,
		isBegun: row.stage !== null && !isCompleted,
		// Who comes late has time.
		retry: isCompleted ? ENDLESS_RETRY : planOf(rollout).retry,
		nowMs,
	});
	if (isThrough(member.status) && change.status !== member.status) await reopenEnd(db, key.rolloutId);
	await changeMember(db, key, change);
}

// A device that was done with its rollout and is not any more: one that had all bytes when it was stopped, or was thought
// gone. It is to be ordered back too. Who ends the rollout (settle-rollouts.ts) looks for such devices under its lock.
async function reopenEnd(db: Records, rolloutId: number): Promise<void> {
	const rollout = await lockRollout(db, rolloutId, "use");
	if (rollout?.state === "stopped") await changeRollout(db, rolloutId, { is_settled: 0 });
}
