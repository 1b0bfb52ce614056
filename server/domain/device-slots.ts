// What is known of the slots of a device after a report, for devices that tell of them and for those that only name the
// running one. Pure; called by stores/record-report.ts.
import type { ReportedSlot, SlotState, StatusReport } from "../../src/protocol/status-report.js";

export interface KnownSlot {
	readonly slot: string;
	readonly version: string | null;
	readonly hash: string | null;
	readonly state: string;
}

/**
 * Slots kept of a device; a board has three. Threat: a device's key in the wrong hands names new ones in each report, until
 * they fill the database.
 */
export const SLOTS_KEPT_MAX = 8;

/** The slots that are not as they were known. */
export function slotsOfReport(known: readonly KnownSlot[], report: StatusReport): KnownSlot[] {
	const said = report.slots === undefined ? [] : report.slots.map((slot) => toSlot(known, slot));
	const slots = said.length > 0 ? said : [runningSlot(known, report)];
	// A device tells of two at most: a third one, a factory's, is known by what was said of it when it ran.
	slots.push(...leftSlots(known, report).filter(({ slot }) => !slots.some((named) => named.slot === slot)));
	return slots.filter((slot) => !known.some((item) => isSame(item, slot)));
}

/** Labels of those that are kept: those that the report is about, then the newest heard of. */
export function slotsToKeep(
	known: readonly (KnownSlot & { readonly seen_at_ms: number })[],
	changed: readonly KnownSlot[],
	report: StatusReport,
): string[] {
	const said = [report.slot, ...(report.slots ?? []).map(({ label }) => label)];
	const before = [...known].sort((a, b) => b.seen_at_ms - a.seen_at_ms);
	const labels = [...said, ...changed.map(({ slot }) => slot), ...before.map(({ slot }) => slot)];
	return [...new Set(labels)].slice(0, SLOTS_KEPT_MAX);
}

// A device forgets the hash of an image that it left, or that came by cable; what was known of it under that version holds.
function toSlot(known: readonly KnownSlot[], { label, version, hash, state }: ReportedSlot): KnownSlot {
	const before = known.find((item) => item.slot === label && item.version === version);
	return { slot: label, version: version ?? null, hash: hash ?? before?.hash ?? null, state };
}

function runningSlot(known: readonly KnownSlot[], report: StatusReport): KnownSlot {
	const { slot, version, target } = report;
	const before = known.find((item) => item.slot === slot && item.version === version);
	const isTarget = target?.version === version && report.isRolledBack !== true;
	const isOnTrial = report.state === "BOOT_VERIFICATION" || (report.trialBoots ?? 0) > 0;
	const state: SlotState = isOnTrial ? "trial" : "running";
	return { slot, version, hash: (isTarget ? target.hash : before?.hash) ?? null, state };
}

// The slot that ran before: to be gone back to, or given up.
function leftSlots(known: readonly KnownSlot[], report: StatusReport): KnownSlot[] {
	const state: SlotState = report.isRolledBack === true ? "invalid" : "previous";
	return known
		.filter(({ slot, state: before }) => slot !== report.slot && (before === "running" || before === "trial"))
		.map((slot) => ({ ...slot, state }));
}

function isSame(a: KnownSlot, b: KnownSlot): boolean {
	return a.slot === b.slot && a.version === b.version && a.hash === b.hash && a.state === b.state;
}
