// Semantic versions (SemVer 2.0.0), bounded to what esp_app_desc_t can hold: 31 characters.
import { VERSION_MAX_CHARS } from "./limits.js";

const VERSION =
	/^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/;

export function isVersion(text: string): boolean {
	if (text.length > VERSION_MAX_CHARS) return false;
	const match = VERSION.exec(text);
	if (!match) return false;
	for (const identifier of match[4]?.split(".") ?? []) {
		if (identifier === "" || /^0[0-9]+$/.test(identifier)) return false;
	}
	for (const identifier of match[5]?.split(".") ?? []) if (identifier === "") return false;
	return true;
}

/**
 * Precedence of SemVer 2.0.0 §11: negative when `a` comes before `b`, 0 when equal (build metadata does not count).
 * Both must satisfy {@link isVersion}.
 */
export function compareVersions(a: string, b: string): number {
	const left = VERSION.exec(a);
	const right = VERSION.exec(b);
	for (let i = 1; i <= 3; i++) {
		const difference = Number(left?.[i]) - Number(right?.[i]);
		if (difference !== 0) return difference;
	}
	return comparePrereleases(left?.[4], right?.[4]);
}

function comparePrereleases(a: string | undefined, b: string | undefined): number {
	if (a === b) return 0;
	if (a === undefined) return 1;
	if (b === undefined) return -1;
	const left = a.split(".");
	const right = b.split(".");
	for (let i = 0; i < Math.max(left.length, right.length); i++) {
		const difference = compareIdentifiers(left[i], right[i]);
		if (difference !== 0) return difference;
	}
	return 0;
}

function compareIdentifiers(a: string | undefined, b: string | undefined): number {
	if (a === b) return 0;
	if (a === undefined) return -1;
	if (b === undefined) return 1;
	const isNumberA = /^[0-9]+$/.test(a);
	const isNumberB = /^[0-9]+$/.test(b);
	if (isNumberA && isNumberB) return Number(a) - Number(b);
	if (isNumberA) return -1;
	if (isNumberB) return 1;
	return a < b ? -1 : 1;
}
