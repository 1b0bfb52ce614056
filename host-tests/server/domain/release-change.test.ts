// What may be changed of a published release, and on which channel it is.
import { describe, expect, it } from "vitest";
import { changeOf, type ReleaseWish, refuseSigned } from "../../../server/domain/release-change.js";
import { channelOf, channelsFor } from "../../../server/domain/release-channel.js";

const RELEASE = {
	channel: "stable",
	is_active: 1,
	is_security_fix: 0,
	notes: null,
	description: "old",
} as const;
const SIGNED = {
	device_type: "lamp",
	chip: "esp32",
	version: "1.0.0",
	build_number: 1,
	security_version: 0,
	size: 5,
	hash: "h",
	min_current_version: null,
	project_name: "lamp",
};

describe("a change of a release", () => {
	const cases: readonly (readonly [string, ReleaseWish, object, readonly string[]])[] = [
		["nothing", {}, {}, []],
		["what it is already", { is_active: true, channel: "stable", description: "old" }, {}, []],
		["the channel", { channel: "beta" }, { channel: "beta" }, ["release_changed"]],
		["the channel in the other word", { is_stable: false }, { channel: "beta" }, ["release_changed"]],
		["notes", { notes: "new" }, { notes: "new" }, ["release_changed"]],
		["notes away", { notes: null, description: null }, { description: null }, ["release_changed"]],
		["deactivation", { is_active: false }, { is_active: 0 }, ["release_deactivated"]],
		[
			"two things",
			{ is_active: false, is_security_fix: true },
			{ is_active: 0, is_security_fix: 1 },
			["release_changed", "release_deactivated"],
		],
	];
	it.each(cases)("of %s", (_name, wish, columns, events) => {
		const change = changeOf(RELEASE, wish, 7);
		expect([change.columns, change.events.map(({ type }) => type)]).toEqual([columns, events]);
	});

	it("makes it available from now on when it is activated", () => {
		expect(changeOf({ ...RELEASE, is_active: 0 }, { is_active: true }, 7).columns).toEqual({
			is_active: 1,
			published_at_ms: 7,
		});
	});

	it("is refused for what is signed, unless it says the same", () => {
		refuseSigned(SIGNED, { version: "1.0.0", min_current_version: null, project_name: "lamp", size: 5 });
		for (const wish of [{ version: "1.0.1" }, { size: 6 }, { min_current_version: "0.1.0" }])
			expect(() => refuseSigned(SIGNED, wish)).toThrow(/is signed and cannot be changed/);
	});
});

describe("a channel", () => {
	it("gives beta devices everything and all others what is stable", () => {
		expect([channelsFor("stable"), channelsFor("beta"), channelsFor("?")]).toEqual([
			["stable"],
			["stable", "beta"],
			["stable"],
		]);
	});

	it("may be said in two words that agree", () => {
		expect(channelOf({})).toBeUndefined();
		expect(channelOf({ channel: "beta", is_stable: false })).toBe("beta");
		expect(() => channelOf({ channel: "beta", is_stable: true })).toThrow(/contradict/);
	});
});
