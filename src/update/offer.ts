// Whether an offered release is installed here. Used by the runner once a poll. Every number of the manifest is only
// compared with the signed statement; nothing unsigned decides (docs/protocol.md §4, §5).
import { type ErrorCode, FotaError } from "../protocol/error-codes.js";
import type { Manifest } from "../protocol/manifest.js";
import {
	parseSignedStatement,
	type ReleaseStatement,
	type SignedStatement,
} from "../protocol/release-statement.js";
import { compareVersions } from "../protocol/version.js";
import type { BadRelease, PersistentState, Release } from "./persistent-state.js";
import type { Crypto, Device, SlotInfo } from "./ports.js";

/** A release to be installed, in chunks of this size. */
export interface Offer {
	readonly release: Release;
	readonly chunkBytes: number;
	/** Its bytes are sent by somebody on the local network instead of fetched. Default false. */
	readonly isPushed?: boolean;
}

export interface OfferContext {
	readonly crypto: Pick<Crypto, "isTrusted">;
	readonly device: Pick<Device, "deviceType" | "chip" | "version">;
	readonly persistent: Pick<PersistentState, "securityVersion" | "badReleases">;
	readonly running: Pick<SlotInfo, "securityVersion">;
	readonly slotBytes: number;
	/** Largest chunk there is a buffer for. */
	readonly chunkBytes: number;
	readonly hasBootloaderRollback: boolean;
}

/** Throws FotaError with the code of the refusal. The signature comes first: an unsigned field decides nothing. */
export function judgeOffer(manifest: Manifest, context: OfferContext): Offer {
	const signed: SignedStatement = parseSignedStatement(manifest.release);
	if (!context.crypto.isTrusted(signed))
		throw refusal("signature-invalid", `no valid signature of a trusted key (${signed.keyId})`);
	const { statement } = signed;
	checkManifest(manifest, statement, context.chunkBytes);
	checkDevice(statement, context);
	checkVersions(statement, context);
	if (statement.sizeBytes > context.slotBytes)
		throw refusal(
			"image-too-large",
			`${statement.sizeBytes} bytes, the slot has ${String(context.slotBytes)}`,
		);
	const bad = context.persistent.badReleases.find((item) => isSameRelease(item, statement));
	if (bad) throw refusal("release-known-bad", whyBad(bad));
	if (!context.hasBootloaderRollback)
		throw refusal("bootloader-without-rollback", "a crashing release would not be undone");
	const { version, hash, sizeBytes, securityVersion, releasedAt } = statement;
	return {
		release: { version, hash, sizeBytes, securityVersion, releasedAt },
		chunkBytes: manifest.chunkBytes,
	};
}

function whyBad({ code }: BadRelease): string {
	return code === "rollback-requested" ? "left here as ordered" : `failed here: ${code}`;
}

function checkManifest(manifest: Manifest, statement: ReleaseStatement, chunkBytesMax: number): void {
	if (
		manifest.version !== statement.version ||
		manifest.sizeBytes !== statement.sizeBytes ||
		manifest.hash !== statement.hash
	)
		throw refusal("manifest-mismatch", "version, size or hash differ from what was signed");
	if (manifest.chunkBytes > chunkBytesMax)
		throw refusal("answer-malformed", `chunk_size above the ${chunkBytesMax} that were asked for`);
}

function checkDevice(statement: ReleaseStatement, context: OfferContext): void {
	const { deviceType, chip } = context.device;
	if (statement.deviceType !== deviceType)
		throw refusal("device-type-mismatch", `for ${statement.deviceType}, this is ${deviceType}`);
	if (statement.chip !== chip) throw refusal("chip-mismatch", `for ${statement.chip}, this is ${chip}`);
}

function checkVersions(statement: ReleaseStatement, context: OfferContext): void {
	const { version } = context.device;
	if (!(compareVersions(statement.version, version) > 0))
		throw refusal("version-not-newer", `${statement.version} is not above ${version}`);
	const least = statement.minCurrentVersion;
	if (least !== undefined && compareVersions(version, least) < 0)
		throw refusal("version-too-old", `needs ${least} first, ${version} is running`);
	// Storage may have been lost; what the running image says of itself has not (threat: downgrade after a loss of NVS).
	const reached = Math.max(context.persistent.securityVersion, context.running.securityVersion);
	if (statement.securityVersion < reached)
		throw refusal(
			"security-downgrade",
			`security version ${statement.securityVersion}, ${reached} was reached`,
		);
}

// A statement signed later lifts the memory: the operator has looked at it.
function isSameRelease(bad: BadRelease, statement: ReleaseStatement): boolean {
	const isSameImage =
		bad.hash === undefined ? bad.version === statement.version : bad.hash === statement.hash;
	return isSameImage && statement.releasedAt <= bad.releasedAt;
}

function refusal(code: ErrorCode, message: string): FotaError {
	return new FotaError(code, message);
}
