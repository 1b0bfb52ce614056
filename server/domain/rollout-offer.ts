// Which release a device gets when there are rollouts, and as what. Pure; called by stores/offer-release.ts. Whatever a
// rollout says, nothing is offered that the device would refuse (offer.ts).
import { chooseRelease, isInstallable, type OfferableRelease, type OfferQuestion } from "./offer.js";
import type { MemberStatus, RolloutPlan, RolloutState } from "./rollout-plan.js";
import { isWindowOpen } from "./schedule-window.js";

export interface ReleaseOnOffer extends OfferableRelease {
	readonly id: number;
	readonly created_at_ms: number;
}

/** A rollout as one device meets it. */
export interface RolloutForDevice {
	readonly id: number;
	readonly releaseId: number;
	readonly state: RolloutState;
	readonly priority: number;
	readonly plan: RolloutPlan;
	/** The last wave that is open; -1 before the start. */
	readonly openWave: number;
	/** The device's own; undefined when it is not of the target. */
	readonly wave: number | undefined;
	/** Undefined until the device was offered the release. */
	readonly member: Member | undefined;
}

export interface Member {
	readonly status: MemberStatus;
	readonly attempts: number;
	readonly nextTryAtMs: number | undefined;
	/** Until when it has, or had, a download place. */
	readonly leaseUntilMs?: number | undefined;
}

export interface RolloutQuestion extends OfferQuestion {
	/** IANA name. */
	readonly timeZone: string;
	/** When the first rollout for this device type and chip was started; undefined when there was none. */
	readonly firstRolloutAtMs: number | undefined;
	readonly nowMs: number;
}

export type Offer<T> =
	| { readonly kind: "nothing" }
	/** Without waves and limits: by default, or because a rollout of it is completed (late). */
	| { readonly kind: "free"; readonly release: T; readonly late?: RolloutTurn | undefined }
	| ({ readonly kind: "rollout"; readonly release: T } & RolloutTurn);

export interface RolloutTurn {
	readonly rollout: RolloutForDevice;
	readonly wave: number;
	readonly attempt: number;
}

/**
 * Running rollouts for the device come first, by priority, then the newest. A device that waits for its turn in one
 * gets nothing meanwhile: one update, not two. Where no rollout is for it, or it is through with all of them, it gets
 * the newest release that is free.
 */
export function chooseOffer<T extends ReleaseOnOffer>(
	releases: readonly T[],
	rollouts: readonly RolloutForDevice[],
	question: RolloutQuestion,
): Offer<T> {
	let isWaiting = false;
	const running = rollouts.filter(({ state, wave }) => state === "running" && wave !== undefined);
	for (const rollout of running.sort((a, b) => b.priority - a.priority || b.id - a.id)) {
		const release = releases.find(({ id }) => id === rollout.releaseId);
		if (release === undefined || !isInstallable(release, question)) continue;
		const turn = turnOf(rollout, question);
		if (turn === "wait") isWaiting = true;
		if (typeof turn === "object") return { kind: "rollout", release, rollout, ...turn };
	}
	if (isWaiting) return { kind: "nothing" };
	const free = chooseRelease(freeReleases(releases, rollouts, question), question);
	if (free === undefined) return { kind: "nothing" };
	return { kind: "free", release: free, late: lateTurn(rolloutsOf(free, rollouts).find(isOpenTo)) };
}

function lateTurn(rollout: RolloutForDevice | undefined): RolloutTurn | undefined {
	if (rollout?.wave === undefined) return undefined;
	const { wave, member } = rollout;
	return { rollout, wave, attempt: member === undefined ? 1 : nextAttempt(member) };
}

function nextAttempt({ status, attempts }: Member): number {
	return status === "retrying" ? attempts + 1 : attempts;
}

type Turn = "wait" | "through" | { readonly wave: number; readonly attempt: number };

/** Whether it is the device's turn in a running rollout that is for it. */
function turnOf(
	{ member, wave = Number.POSITIVE_INFINITY, openWave, plan }: RolloutForDevice,
	{ timeZone, nowMs }: RolloutQuestion,
): Turn {
	if (member !== undefined && isThrough(member.status)) return "through";
	const isWindow = plan.window === null || isWindowOpen(plan.window, timeZone, nowMs);
	if (wave > openWave || !isWindow) return "wait";
	if (member === undefined) return { wave, attempt: 1 };
	if (member.status === "retrying" && nowMs < (member.nextTryAtMs ?? 0)) return "wait";
	return { wave, attempt: nextAttempt(member) };
}

/** In an end state: nothing more comes by itself. */
export function isThrough(status: MemberStatus): boolean {
	return status === "succeeded" || status === "failed" || status === "rolled_back" || status === "aborted";
}

/**
 * A release that ever had a rollout that was started is given by rollouts only: what was stopped or aborted must not go to
 * everyone by default. Nor does one that was uploaded after the first rollout for this type and chip: it waits for its own.
 */
function freeReleases<T extends ReleaseOnOffer>(
	releases: readonly T[],
	rollouts: readonly RolloutForDevice[],
	{ firstRolloutAtMs = Number.POSITIVE_INFINITY }: RolloutQuestion,
): T[] {
	return releases.filter((release) => {
		const own = rolloutsOf(release, rollouts);
		if (own.length === 0) return release.created_at_ms <= firstRolloutAtMs;
		return own.some(isOpenTo);
	});
}

/** Of this release, that were started, as far as what came of the last ones does not speak against them. */
function rolloutsOf(release: ReleaseOnOffer, rollouts: readonly RolloutForDevice[]): RolloutForDevice[] {
	const own = rollouts.filter(({ releaseId, openWave }) => releaseId === release.id && openWave >= 0);
	const ended = own.filter(({ state }) => state === "stopped" || state === "aborted");
	const lastEndedId = Math.max(0, ...ended.map(({ id }) => id));
	return own.filter(({ id }) => id >= lastEndedId).sort((a, b) => b.id - a.id);
}

// Completed: everyone of the target may have it, but those that it failed on or that were taken out.
function isOpenTo({ state, wave, member }: RolloutForDevice): boolean {
	if (state !== "completed" || wave === undefined) return false;
	return member === undefined || member.status === "succeeded" || !isThrough(member.status);
}
