// Which releases a device would take, and the newest of them. Pure; who gets what in rollouts is rollout-offer.ts.
import { compareVersions } from "../../src/protocol/version.js";

export interface OfferableRelease {
	readonly version: string;
	readonly build_number: number;
	readonly security_version: number;
	readonly min_current_version: string | null;
	readonly released_at: number;
}

export interface OfferQuestion {
	/** What the device runs; undefined when it does not say: then only the device can decide. */
	readonly currentVersion: string | undefined;
	/** security_version of what it runs, as far as the server knows the release. */
	readonly currentSecurityVersion: number | undefined;
}

/**
 * The newest of `releases` (all active and for this device's type and chip) that is newer than the running version, not
 * meant for newer devices only (min_current_version) and no security downgrade. Where the newest is out of reach this
 * gives the one in between, so that a device gets there in steps.
 */
export function chooseRelease<T extends OfferableRelease>(
	releases: readonly T[],
	question: OfferQuestion,
): T | undefined {
	let chosen: T | undefined;
	for (const release of releases) {
		if (!isInstallable(release, question)) continue;
		if (chosen === undefined || compareReleases(release, chosen) > 0) chosen = release;
	}
	return chosen;
}

/** Whether the device would take it, as far as the server can tell (docs/protocol.md §4). */
export function isInstallable(release: OfferableRelease, question: OfferQuestion): boolean {
	const { currentVersion, currentSecurityVersion } = question;
	if (currentSecurityVersion !== undefined && release.security_version < currentSecurityVersion) return false;
	if (currentVersion === undefined) return true;
	if (compareVersions(release.version, currentVersion) <= 0) return false;
	const minimum = release.min_current_version;
	return minimum === null || compareVersions(currentVersion, minimum) >= 0;
}

// Versions that differ in build metadata only are equal in SemVer; the build number settles it.
function compareReleases(a: OfferableRelease, b: OfferableRelease): number {
	return (
		compareVersions(a.version, b.version) || a.build_number - b.build_number || a.released_at - b.released_at
	);
}
