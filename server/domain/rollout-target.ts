// Is a device of a rollout's target, in which wave, and would it take the release? For the preview and for the count of
// those within reach. Pure; called by stores/rollout-census.ts.
import { compareVersions, isVersion } from "../../src/protocol/version.js";
import { bucketOf, waveOf } from "./bucket.js";
import { isInstallable, type OfferableRelease } from "./offer.js";
import { type Channel, channelsFor } from "./release-channel.js";
import type { RolloutPlan, RolloutTarget } from "./rollout-plan.js";

/** Not heard of for so long: it counts neither for the size of a wave nor for the end of a rollout. */
export const REACH_MS = 7 * 86_400_000;

export const LEFT_OUT_REASONS = [
	"unknown_device",
	"decommissioned",
	"other_device_type",
	"other_chip",
	"other_channel",
	"outside_share",
	"runs_it_already",
	"runs_newer",
	"below_min_current_version",
	"security_downgrade",
] as const;
export type LeftOutReason = (typeof LEFT_OUT_REASONS)[number];

export interface TargetDevice {
	readonly deviceId: string;
	/** Undefined: nobody registered it. */
	readonly deviceType: string | undefined;
	readonly chip: string | undefined;
	readonly isDecommissioned: boolean;
	readonly channel: string;
	/** By its last report. */
	readonly version: string | undefined;
	readonly lastSeenAtMs: number | undefined;
}

export interface TargetRollout {
	readonly deviceType: string;
	readonly chip: string;
	readonly seed: string;
	readonly plan: RolloutPlan;
	readonly target: RolloutTarget;
	readonly release: OfferableRelease & { readonly channel: Channel };
	/** security_version of a release of this type by its version; undefined when the server does not know it. */
	readonly securityVersionOf: (version: string) => number | undefined;
}

export type Placement =
	| { readonly kind: "in"; readonly wave: number }
	| { readonly kind: "left-out"; readonly reason: LeftOutReason };

export function placeOf(device: TargetDevice, rollout: TargetRollout): Placement {
	const wave = waveOf(bucketOf(rollout.seed, device.deviceId), rollout.plan, rollout.target);
	const reason = unfitReason(device, rollout) ?? (wave === undefined ? "outside_share" : undefined);
	if (reason !== undefined) return { kind: "left-out", reason };
	const versionReason = refusalOf(device.version, rollout);
	return versionReason === undefined
		? { kind: "in", wave: wave ?? 0 }
		: { kind: "left-out", reason: versionReason };
}

export function isWithinReach({ lastSeenAtMs }: TargetDevice, nowMs: number): boolean {
	return lastSeenAtMs !== undefined && nowMs - lastSeenAtMs <= REACH_MS;
}

function unfitReason(device: TargetDevice, rollout: TargetRollout): LeftOutReason | undefined {
	if (device.deviceType === undefined) return "unknown_device";
	if (device.isDecommissioned) return "decommissioned";
	if (device.deviceType !== rollout.deviceType) return "other_device_type";
	if (device.chip !== undefined && device.chip !== rollout.chip) return "other_chip";
	if (!channelsFor(device.channel).includes(rollout.release.channel)) return "other_channel";
	return undefined;
}

function refusalOf(version: string | undefined, rollout: TargetRollout): LeftOutReason | undefined {
	if (version === undefined || !isVersion(version)) return undefined;
	const { release } = rollout;
	const currentSecurityVersion = rollout.securityVersionOf(version);
	if (isInstallable(release, { currentVersion: version, currentSecurityVersion })) return undefined;
	const order = compareVersions(release.version, version);
	if (order === 0) return "runs_it_already";
	if (order < 0) return "runs_newer";
	const isDowngrade =
		currentSecurityVersion !== undefined && release.security_version < currentSecurityVersion;
	return isDowngrade ? "security_downgrade" : "below_min_current_version";
}
