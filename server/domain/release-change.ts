// What an operator may change of a release that is published, and what is noted of it. Pure; called by
// stores/change-release.ts. What is signed stays: another release has to be signed for that.
import { FotaError } from "../../src/protocol/error-codes.js";
import type { EventDetails, FotaEvent } from "./event.js";
import { type Channel, type ChannelWords, channelOf } from "./release-channel.js";

export interface ChangeableRelease {
	readonly channel: Channel;
	readonly is_active: number;
	readonly is_security_fix: number;
	readonly notes: string | null;
	readonly description: string | null;
}

/** As in the release statement and the signed image, with the names of the wire. */
export interface SignedFields {
	readonly device_type: string;
	readonly chip: string;
	readonly version: string;
	readonly build_number: number;
	readonly security_version: number;
	readonly size: number;
	readonly hash: string;
	readonly min_current_version: string | null;
	readonly project_name: string;
}

export interface ReleaseWish extends ChannelWords {
	readonly is_active?: boolean | undefined;
	readonly is_security_fix?: boolean | undefined;
	readonly notes?: string | null | undefined;
	readonly description?: string | null | undefined;
}

export interface ReleaseChange {
	/** Only what becomes different. */
	readonly columns: Partial<ChangeableRelease> & { readonly published_at_ms?: number };
	readonly events: readonly { readonly type: FotaEvent["type"]; readonly details: EventDetails }[];
}

/** Throws `request-malformed` where the wish contradicts itself. */
export function changeOf(release: ChangeableRelease, wish: ReleaseWish, nowMs: number): ReleaseChange {
	const wanted: Partial<ChangeableRelease> = {
		...given("channel", channelOf(wish)),
		...given("is_security_fix", flag(wish.is_security_fix)),
		...given("notes", wish.notes),
		...given("description", wish.description),
	};
	const names = (Object.keys(wanted) as (keyof ChangeableRelease)[]).filter(
		(name) => wanted[name] !== release[name],
	);
	const columns: Partial<ChangeableRelease> = Object.fromEntries(names.map((name) => [name, wanted[name]]));
	const events: ReleaseChange["events"][number][] = [];
	if (names.length > 0) events.push({ type: "release_changed", details: detailsOf(names, columns) });
	if (wish.is_active === undefined || flag(wish.is_active) === release.is_active) return { columns, events };
	if (!wish.is_active) {
		events.push({ type: "release_deactivated", details: {} });
		return { columns: { ...columns, is_active: 0 }, events };
	}
	events.push({ type: "release_activated", details: {} });
	return { columns: { ...columns, is_active: 1, published_at_ms: nowMs }, events };
}

// Texts may be long: only that they changed.
function detailsOf(names: readonly string[], columns: Partial<ChangeableRelease>): EventDetails {
	const { channel, is_security_fix: isFix } = columns;
	return {
		changed: names.join(", "),
		channel,
		is_security_fix: isFix === undefined ? undefined : isFix === 1,
	};
}

/** Throws `manifest-mismatch` where a field differs from what is signed; the same value again is no change. */
export function refuseSigned(signed: SignedFields, wish: Partial<Record<keyof SignedFields, unknown>>): void {
	for (const [name, value] of Object.entries(wish)) {
		if (value !== signed[name as keyof SignedFields])
			throw new FotaError(
				"manifest-mismatch",
				`${name} is signed and cannot be changed; sign and upload another release`,
			);
	}
}

function given<K extends string, T>(name: K, value: T | undefined): Partial<Record<K, T>> {
	return value === undefined ? {} : ({ [name]: value } as Partial<Record<K, T>>);
}

function flag(value: boolean | undefined): number | undefined {
	return value === undefined ? undefined : Number(value);
}
