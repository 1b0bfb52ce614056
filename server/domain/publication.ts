// What an uploaded release must agree with, and what becomes of it. Pure; called by stores/publish-release.ts.
import { FotaError } from "../../src/protocol/error-codes.js";
import type { ImageCheck } from "../../src/protocol/esp-image.js";
import type { ReleaseStatement } from "../../src/protocol/release-statement.js";

/** What the uploader says beside the statement; all of it must be true where it is given. */
export interface UploadClaims {
	readonly version?: string | undefined;
	readonly size?: number | undefined;
	readonly hash?: string | undefined;
	readonly buildNumber?: number | undefined;
	readonly deviceType?: string | undefined;
	readonly chip?: string | undefined;
	readonly minCurrentVersion?: string | undefined;
	/** Not in the statement: the image says it. */
	readonly projectName?: string | undefined;
}

/** Throws `manifest-mismatch` when a claim differs from what is signed. */
export function checkClaims(claims: UploadClaims, statement: ReleaseStatement): void {
	const pairs: readonly (readonly [string, unknown, unknown])[] = [
		["version", claims.version, statement.version],
		["size", claims.size, statement.sizeBytes],
		["hash", claims.hash, statement.hash],
		["build_number", claims.buildNumber, statement.buildNumber],
		["device_type", claims.deviceType, statement.deviceType],
		["chip", claims.chip, statement.chip],
		["min_current_version", claims.minCurrentVersion, statement.minCurrentVersion],
	];
	for (const [name, claimed, signed] of pairs) {
		if (claimed !== undefined && claimed !== signed)
			throw new FotaError("manifest-mismatch", `${name} differs from the release statement`);
	}
}

/** Throws `manifest-mismatch` or `chip-mismatch` when the image is not what statement and claims say it is. */
export function checkImageAgainst(
	image: ImageCheck,
	statement: ReleaseStatement,
	claims: UploadClaims,
): void {
	if (image.chip !== statement.chip)
		throw new FotaError(
			"chip-mismatch",
			`the image is for ${image.chip ?? `chip id ${image.chipId}`}, the release statement for ${statement.chip}`,
		);
	if (image.version !== statement.version)
		throw new FotaError("manifest-mismatch", "the version in the image differs from the release statement");
	if (claims.projectName !== undefined && claims.projectName !== image.projectName)
		throw new FotaError("manifest-mismatch", "project_name differs from the image");
}

export interface PublishedRelease {
	readonly hash: string;
	readonly chip: string;
	readonly build_number: number;
	readonly security_version: number;
	readonly min_current_version: string | null;
	readonly released_at: number;
}

export type Publication = "create" | "unchanged" | "reissue" | "conflict";

/**
 * A version exists once a device type. The same image with the same terms again changes nothing; with a later
 * statement it is issued anew (devices that rolled it back may try it again); everything else is a conflict.
 */
export function decidePublication(
	existing: PublishedRelease | undefined,
	statement: ReleaseStatement,
): Publication {
	if (existing === undefined) return "create";
	if (existing.hash !== statement.hash || existing.chip !== statement.chip) return "conflict";
	if (statement.releasedAt > existing.released_at) return "reissue";
	const isSame =
		existing.released_at === statement.releasedAt &&
		existing.build_number === statement.buildNumber &&
		existing.security_version === statement.securityVersion &&
		existing.min_current_version === (statement.minCurrentVersion ?? null);
	return isSame ? "unchanged" : "conflict";
}
