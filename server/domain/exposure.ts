// Who lacks which security fix. Pure; called by the exposure route with the versions that devices run.
import { compareVersions, isVersion } from "../../src/protocol/version.js";

export interface Fix {
	readonly version: string;
	readonly chip: string;
}

/** A version that devices run; null: they have not said. */
export interface Running {
	readonly version: string | null;
	readonly chip: string | null;
}

/** True where the device runs something older, or nothing that can be compared: then it may lack everything. */
export function lacks(running: Running, fix: Fix): boolean {
	if (running.chip !== null && running.chip !== fix.chip) return false;
	if (running.version === null || !isVersion(running.version)) return true;
	return compareVersions(running.version, fix.version) < 0;
}
