// Decides which release a device is offered and writes the offer down: within a rollout as one transaction, so that a
// stop, a full house or a second request of the device cannot come in between. Called by the manifest route; the
// decision is domain/rollout-offer.ts.
import { bucketOf, waveOf } from "../domain/bucket.js";
import { isToBeLeft } from "../domain/order-fit.js";
import { channelsFor } from "../domain/release-channel.js";
import { memberAfter, placeUntil } from "../domain/rollout-member.js";
import { chooseOffer, type Offer, type RolloutForDevice, type RolloutTurn } from "../domain/rollout-offer.js";
import type { RolloutTarget } from "../domain/rollout-plan.js";
import { findDevice, isSameBoard, noteOffer } from "./device-store.js";
import { appendEvents } from "./event-store.js";
import { findTags } from "./fleet-store.js";
import { lockDevice } from "./locks.js";
import { openPendingUpdate } from "./record-update.js";
import { findRelease, listActiveReleases } from "./release-store.js";
import { findPendingOrder, voidOvertakenOrder } from "./rollback-order-store.js";
import { countPlaces, findMemberships, saveTry } from "./rollout-member-store.js";
import {
	findRolloutsNaming,
	firstRolloutAtMs,
	listRolloutsOfReleases,
	lockRollout,
	planOf,
	targetOf,
} from "./rollout-store.js";
import type { DeviceRow, Records, ReleaseRow, RolloutDeviceRow, RolloutRow } from "./tables.js";

export interface ManifestQuestion {
	readonly device: DeviceRow;
	readonly chip: string;
	/** Running; undefined when the device does not say. */
	readonly version: string | undefined;
	/** For devices that have none of their own. */
	readonly defaultTimeZone: string;
	/** Also before the first rollout. */
	readonly isRolloutNeeded: boolean;
	readonly nowMs: number;
}

export type OfferOutcome =
	| { readonly kind: "nothing" }
	/** All download places are taken. */
	| { readonly kind: "busy" }
	| { readonly kind: "release"; readonly release: ReleaseRow };

export async function offerRelease(db: Records, question: ManifestQuestion): Promise<OfferOutcome> {
	// It is to go back first, and asks for the order where it is offered nothing. Nor is it shed then.
	if (await isToGoBack(db, question)) return { kind: "nothing" };
	const offer = await choose(db, question);
	if (offer.kind === "nothing") return { kind: "nothing" };
	const turn = turnOf(offer);
	if (turn !== undefined)
		return db.transaction().execute((transaction) => offerUnderRollout(transaction, question, turn));
	await noteOffer(db, question.device.device_id, offer.release.id);
	return { kind: "release", release: offer.release };
}

/** Who comes late to a completed rollout belongs to it as well, so that it can be ordered back. */
function turnOf(offer: Offer<ReleaseRow>): RolloutTurn | undefined {
	if (offer.kind === "rollout") return offer;
	return offer.kind === "free" ? offer.late : undefined;
}

/** Ends an order that the device has left behind. */
async function isToGoBack(db: Records, { device, version, nowMs }: ManifestQuestion): Promise<boolean> {
	const deviceId = device.device_id;
	const order = await findPendingOrder(db, deviceId);
	if (order === undefined) return false;
	const running = { version: version ?? null, hash: null };
	if (isToBeLeft(order, running)) return true;
	await db.transaction().execute(async (transaction) => {
		await lockDevice(transaction, deviceId);
		const voided = await voidOvertakenOrder(transaction, { deviceId, running, nowMs });
		await appendEvents(transaction, voided, nowMs);
	});
	return false;
}

async function offerUnderRollout(
	transaction: Records,
	question: ManifestQuestion,
	seen: RolloutTurn,
): Promise<OfferOutcome> {
	const deviceId = question.device.device_id;
	const { id: rolloutId, plan, state } = seen.rollout;
	const maxDownloads = state === "running" ? plan.max_concurrent_downloads : 0;
	await lockDevice(transaction, deviceId);
	// Places are counted by one at a time; without a limit only a stop has to wait.
	await lockRollout(transaction, rolloutId, maxDownloads > 0 ? "change" : "use");
	const device = await findDevice(transaction, deviceId);
	// The name may be another board's by now, which has not asked.
	if (device === undefined || !isSameBoard(device, question.device)) return { kind: "nothing" };
	if (device.decommissioned_at_ms !== null) return { kind: "nothing" };
	const offer = await choose(transaction, { ...question, device });
	const turn = turnOf(offer);
	if (offer.kind === "nothing" || turn?.rollout.id !== rolloutId) return { kind: "nothing" };
	// One may have come in between.
	if ((await findPendingOrder(transaction, deviceId)) !== undefined) return { kind: "nothing" };
	const leaseUntilMs = placeUntil(heldUntilMs(turn), question.nowMs);
	if (maxDownloads > 0) {
		if (leaseUntilMs === undefined) return { kind: "busy" };
		const placeCount = await countPlaces(transaction, { rolloutId, deviceId }, question.nowMs);
		if (placeCount >= maxDownloads) return { kind: "busy" };
	}
	const { release } = offer;
	await giveTry(transaction, { question, release, turn, leaseUntilMs: leaseUntilMs ?? question.nowMs });
	return { kind: "release", release };
}

function heldUntilMs({ rollout: { member }, attempt }: RolloutTurn): number | undefined {
	const isSameTry = member?.attempts === attempt;
	const isHolder = member?.status === "offered" || member?.status === "downloading";
	return isSameTry && isHolder ? member.leaseUntilMs : undefined;
}

interface GivenTry {
	readonly question: ManifestQuestion;
	readonly release: ReleaseRow;
	readonly turn: RolloutTurn;
	readonly leaseUntilMs: number;
}

async function giveTry(db: Records, { question, release, turn, leaseUntilMs }: GivenTry): Promise<void> {
	const { nowMs, version: fromVersion } = question;
	const { rollout, wave, attempt } = turn;
	const deviceId = question.device.device_id;
	const rolloutId = rollout.id;
	const isDownloading = rollout.member?.status === "downloading";
	const facts = { attempts: attempt, errorCode: undefined, isBegun: false, retry: rollout.plan.retry, nowMs };
	const change = {
		...memberAfter(isDownloading ? "downloading" : "pending", facts),
		lease_until_ms: leaseUntilMs,
	};
	await saveTry(db, { rolloutId, deviceId, wave, attempt, change, nowMs });
	const item = { deviceId, release, rolloutId, wave, attempt, fromVersion, nowMs };
	const events = await openPendingUpdate(db, item);
	await noteOffer(db, deviceId, release.id);
	await appendEvents(db, events, nowMs);
}

async function choose(db: Records, question: ManifestQuestion): Promise<Offer<ReleaseRow>> {
	const { device, chip, version } = question;
	const channels = channelsFor(device.channel);
	const releases = await listActiveReleases(db, device.device_type, chip, channels);
	if (releases.length === 0) return { kind: "nothing" };
	const current = version === undefined ? undefined : await findRelease(db, device.device_type, version);
	return chooseOffer(releases, await rolloutsFor(db, device, releases), {
		currentVersion: version,
		currentSecurityVersion: current?.security_version,
		timeZone: device.time_zone ?? question.defaultTimeZone,
		firstRolloutAtMs: question.isRolloutNeeded ? 0 : await firstRolloutAtMs(db, device.device_type, chip),
		nowMs: question.nowMs,
	});
}

/** The rollouts of these releases, as the device meets them. */
async function rolloutsFor(
	db: Records,
	device: DeviceRow,
	releases: readonly ReleaseRow[],
): Promise<RolloutForDevice[]> {
	const rows = await listRolloutsOfReleases(
		db,
		releases.map(({ id }) => id),
	);
	if (rows.length === 0) return [];
	const targets = new Map(rows.map((row) => [row.id, targetOf(row)]));
	const idsOf = (kind: RolloutTarget["kind"]) =>
		rows.filter(({ id }) => targets.get(id)?.kind === kind).map(({ id }) => id);
	const named = await findRolloutsNaming(db, device.device_id, idsOf("devices"));
	const tags = idsOf("tag").length > 0 ? await findTags(db, [device.device_id]) : new Map<string, string[]>();
	const members = await findMemberships(db, device.device_id);
	const known = { group: device.group_name, tags: tags.get(device.device_id) ?? [] };
	return rows.map((row) => {
		const target = targetOf(row);
		const isTarget = target.kind === "devices" ? named.has(row.id) : isMeant(target, known);
		return rolloutFor(row, { device, target, isTarget, member: members.get(row.id) });
	});
}

function isMeant(
	target: RolloutTarget,
	device: { readonly group: string | null; readonly tags: readonly string[] },
): boolean {
	if (target.kind === "group") return device.group === target.group;
	return target.kind !== "tag" || device.tags.includes(target.tag);
}

interface Meeting {
	readonly device: DeviceRow;
	readonly target: RolloutTarget;
	readonly isTarget: boolean;
	readonly member: RolloutDeviceRow | undefined;
}

function rolloutFor(row: RolloutRow, { device, target, isTarget, member }: Meeting): RolloutForDevice {
	const plan = planOf(row);
	return {
		id: row.id,
		releaseId: row.release_id,
		state: row.state,
		priority: row.priority,
		plan,
		openWave: row.wave,
		wave: isTarget ? waveOf(bucketOf(row.seed, device.device_id), plan, target) : undefined,
		member: member && {
			status: member.status,
			attempts: member.attempts,
			nextTryAtMs: member.next_try_at_ms ?? undefined,
			leaseUntilMs: member.lease_until_ms ?? undefined,
		},
	};
}
