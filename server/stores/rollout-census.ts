// Goes through the devices of a rollout's target, page by page: who would get what before it starts, and how many are
// within reach once it runs. Reads only; a look at a large fleet, so nothing is locked meanwhile.

import type { MemberStatus } from "../domain/rollout-plan.js";
import {
	isWithinReach,
	type LeftOutReason,
	type Placement,
	placeOf,
	type TargetDevice,
	type TargetRollout,
} from "../domain/rollout-target.js";
import { isKnownBadAfter } from "../domain/update-history.js";
import { turn } from "../turn.js";
import { countMembers, type MemberCount } from "./rollout-member-store.js";
import { planOf, targetOf } from "./rollout-store.js";
import type { Records, ReleaseRow, RolloutRow } from "./tables.js";
import { listUpdatesTo, type UpdateEnd } from "./update-store.js";

/** On SQLite the process does nothing else while it reads so many: some 3 ms. */
const PAGE_DEVICES = 500;
/** Devices named in a preview, for each wave and each reason. */
const SAMPLE_DEVICES = 100;

export interface Sample {
	count: number;
	readonly device_ids: string[];
}

export interface Preview {
	readonly waves: readonly Sample[];
	/** In the waves, and will refuse the release: by their history they keep it for bad. */
	readonly known_bad: Sample;
	readonly left_out: Partial<Record<LeftOutReason, Sample>>;
}

export async function previewRollout(db: Records, row: RolloutRow, release: ReleaseRow): Promise<Preview> {
	const rollout = await targetRollout(db, row, release);
	const waves: Sample[] = rollout.plan.waves.map(() => ({ count: 0, device_ids: [] }));
	const leftOut: Partial<Record<LeftOutReason, Sample>> = {};
	const knownBad: Sample = { count: 0, device_ids: [] };
	const refusing = await devicesRefusing(db, release);
	for await (const devices of targetPages(db, row))
		for (const device of devices) {
			const placement = placeOf(device, rollout);
			note(sampleOf(placement, waves, leftOut), device.deviceId);
			if (placement.kind === "in" && refusing.has(device.deviceId)) note(knownBad, device.deviceId);
		}
	return { waves, left_out: leftOut, known_bad: knownBad };
}

/**
 * Devices that refuse the release as known bad, by their history: what the board before under the same name refused is in it,
 * too. Updates to the image before it was a release here (pushed) count as well.
 */
async function devicesRefusing(db: Records, release: ReleaseRow): Promise<Set<string>> {
	const refusing = new Set<string>();
	for (const releaseId of [null, release.id])
		for await (const update of updatesTo(db, { releaseId, hash: release.hash })) {
			// Signed anew since: that lifts it.
			if ((update.finished_at_ms ?? 0) < release.released_at * 1000) continue;
			if (isKnownBadAfter(update)) refusing.add(update.device_id);
			else if (update.status === "success") refusing.delete(update.device_id);
		}
	return refusing;
}

async function* updatesTo(
	db: Records,
	image: { readonly releaseId: number | null; readonly hash: string },
): AsyncGenerator<UpdateEnd> {
	for (let after = 0; ; ) {
		const page = await listUpdatesTo(db, image, { after, limit: PAGE_DEVICES });
		yield* page;
		const last = page.at(-1);
		if (last === undefined || page.length < PAGE_DEVICES) return;
		after = last.id;
		await turn();
	}
}

function sampleOf(
	placement: Placement,
	waves: readonly Sample[],
	leftOut: Partial<Record<LeftOutReason, Sample>>,
): Sample | undefined {
	if (placement.kind === "in") return waves[placement.wave];
	leftOut[placement.reason] ??= { count: 0, device_ids: [] };
	return leftOut[placement.reason];
}

function note(sample: Sample | undefined, deviceId: string): void {
	if (sample === undefined) return;
	sample.count++;
	if (sample.device_ids.length < SAMPLE_DEVICES) sample.device_ids.push(deviceId);
}

export interface WaveCount {
	/** By wave: the devices that are through or in the middle of it, and those within reach that are still to come. */
	readonly sizes: readonly number[];
	/** Devices that were gone through: what the count costs. */
	readonly deviceCount: number;
}

export async function countWaves(
	db: Records,
	row: RolloutRow,
	release: ReleaseRow,
	nowMs: number,
): Promise<WaveCount> {
	const rollout = await targetRollout(db, row, release);
	const before = await countMembers(db, row.id);
	const toCome = rollout.plan.waves.map(() => 0);
	let deviceCount = 0;
	for await (const devices of targetPages(db, row)) {
		deviceCount += devices.length;
		const members = await countedAmong(
			db,
			row.id,
			devices.map(({ deviceId }) => deviceId),
		);
		for (const device of devices) {
			if (members.has(device.deviceId) || !isWithinReach(device, nowMs)) continue;
			const placement = placeOf(device, rollout);
			if (placement.kind === "in") toCome[placement.wave] = (toCome[placement.wave] ?? 0) + 1;
		}
	}
	// Who came through in between is in one of the two counts only, and so is who is to be tried again. With one too few
	// everyone would seem to be through; with one too many the next count tells.
	const behind = await countMembers(db, row.id);
	const counted = (wave: number) => Math.max(countedIn(before, wave), countedIn(behind, wave));
	return { sizes: toCome.map((count, wave) => count + counted(wave)), deviceCount };
}

/**
 * Of its wave, whatever the device reports: one on trial runs the release already, and none that asks for updates would
 * take it any more. One that is to try again may have gone on to something else.
 */
function isCounted(status: MemberStatus): boolean {
	return status !== "retrying";
}

function countedIn(counts: readonly MemberCount[], wave: number): number {
	return counts
		.filter((item) => item.wave === wave && isCounted(item.status) && item.status !== "aborted")
		.reduce((sum, { count }) => sum + count, 0);
}

async function countedAmong(
	db: Records,
	rolloutId: number,
	deviceIds: readonly string[],
): Promise<Set<string>> {
	if (deviceIds.length === 0) return new Set();
	const rows = await db
		.selectFrom("rollout_devices")
		.select(["device_id", "status"])
		.where("rollout_id", "=", rolloutId)
		.where("device_id", ">=", deviceIds[0] ?? "")
		.where("device_id", "<=", deviceIds.at(-1) ?? "")
		.execute();
	return new Set(rows.filter(({ status }) => isCounted(status)).map((member) => member.device_id));
}

async function targetRollout(db: Records, row: RolloutRow, release: ReleaseRow): Promise<TargetRollout> {
	const known = await db
		.selectFrom("releases")
		.select(["version", "security_version"])
		.where("device_type", "=", row.device_type)
		.execute();
	const securityVersions = new Map(known.map((item) => [item.version, item.security_version]));
	return {
		deviceType: row.device_type,
		chip: row.chip,
		seed: row.seed,
		plan: planOf(row),
		target: targetOf(row),
		release,
		securityVersionOf: (version) => securityVersions.get(version),
	};
}

/** In order of device id. */
async function* targetPages(db: Records, row: RolloutRow): AsyncGenerator<TargetDevice[]> {
	for (let after = ""; ; ) {
		const page = await targetPage(db, row, after);
		yield page;
		const last = page.at(-1);
		if (last === undefined || page.length < PAGE_DEVICES) return;
		after = last.deviceId;
		await turn();
	}
}

async function targetPage(db: Records, row: RolloutRow, after: string): Promise<TargetDevice[]> {
	const target = targetOf(row);
	if (target.kind === "devices") return namedPage(db, row.id, after);
	let query = db
		.selectFrom("devices")
		.leftJoin("device_status", "device_status.device_id", "devices.device_id")
		.select([
			"devices.device_id",
			"devices.device_type",
			"devices.chip",
			"device_status.chip as reported_chip",
		])
		.select(["devices.decommissioned_at_ms", "devices.channel", "devices.last_seen_at_ms"])
		.select("device_status.version")
		.where("devices.device_id", ">", after)
		.orderBy("devices.device_id")
		.limit(PAGE_DEVICES);
	if (target.kind === "group") query = query.where("devices.group_name", "=", target.group);
	else if (target.kind === "tag")
		query = query.where("devices.device_id", "in", (from) =>
			from.selectFrom("device_tags").select("device_tags.device_id").where("tag", "=", target.tag),
		);
	else query = query.where("devices.device_type", "=", row.device_type);
	return (await query.execute()).map(deviceOf);
}

// What was named and never registered shows as well.
async function namedPage(db: Records, rolloutId: number, after: string): Promise<TargetDevice[]> {
	const rows = await db
		.selectFrom("rollout_targets")
		.leftJoin("devices", "devices.device_id", "rollout_targets.device_id")
		.leftJoin("device_status", "device_status.device_id", "rollout_targets.device_id")
		.select(["rollout_targets.device_id", "devices.device_type", "devices.chip"])
		.select(["device_status.chip as reported_chip", "device_status.version"])
		.select(["devices.decommissioned_at_ms", "devices.channel", "devices.last_seen_at_ms"])
		.where("rollout_targets.rollout_id", "=", rolloutId)
		.where("rollout_targets.device_id", ">", after)
		.orderBy("rollout_targets.device_id")
		.limit(PAGE_DEVICES)
		.execute();
	return rows.map(deviceOf);
}

function deviceOf(row: {
	readonly device_id: string;
	readonly device_type: string | null;
	readonly chip: string | null;
	readonly reported_chip: string | null;
	readonly decommissioned_at_ms: number | null;
	readonly channel: string | null;
	readonly last_seen_at_ms: number | null;
	readonly version: string | null;
}): TargetDevice {
	return {
		deviceId: row.device_id,
		deviceType: row.device_type ?? undefined,
		chip: row.chip ?? row.reported_chip ?? undefined,
		isDecommissioned: row.decommissioned_at_ms !== null,
		channel: row.channel ?? "stable",
		version: row.version ?? undefined,
		lastSeenAtMs: row.last_seen_at_ms ?? undefined,
	};
}
