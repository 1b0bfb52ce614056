// Which devices come first: each has a bucket of its own in each rollout, from its id and the rollout's seed, so the
// waves need no memory and are the same on every server. Pure.
import { createHash } from "node:crypto";
import { hundredthsOf, type RolloutPlan, type RolloutTarget } from "./rollout-plan.js";

export const BUCKET_COUNT = 10_000;

/** 0 to 9999: the first 8 bytes of SHA-256(seed ‖ device id), big-endian, modulo 10,000. */
export function bucketOf(seed: string, deviceId: string): number {
	const digest = createHash("sha256").update(Buffer.from(seed, "hex")).update(deviceId).digest();
	return Number(digest.readBigUInt64BE(0) % BigInt(BUCKET_COUNT));
}

/**
 * The first wave that the bucket is in; it is in all later ones as well. Undefined where the target is a share of all
 * devices and the bucket is outside of it; the waves are shares of that share.
 */
export function waveOf(bucket: number, plan: RolloutPlan, target: RolloutTarget): number | undefined {
	const targetShare = target.kind === "share" ? hundredthsOf(target.share_percent) : BUCKET_COUNT;
	const wave = plan.waves.findIndex(
		({ share_percent }) => bucket * BUCKET_COUNT < hundredthsOf(share_percent) * targetShare,
	);
	return wave === -1 ? undefined : wave;
}
