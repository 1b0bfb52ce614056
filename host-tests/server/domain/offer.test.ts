// Which release a device is offered, as a table and as a property.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseRelease, type OfferableRelease } from "../../../server/domain/offer.js";
import { compareVersions } from "../../../src/protocol/version.js";

function release(version: string, more: Partial<OfferableRelease> = {}): OfferableRelease {
	return {
		version,
		build_number: 1,
		security_version: 0,
		min_current_version: null,
		released_at: 1,
		...more,
	};
}

function offered(
	releases: readonly OfferableRelease[],
	currentVersion?: string,
	currentSecurityVersion?: number,
) {
	return chooseRelease(releases, { currentVersion, currentSecurityVersion })?.version;
}

describe("the release a device is offered", () => {
	it("is the newest by semantic version, whatever the order", () => {
		const all = ["1.2.0", "1.10.0", "1.9.9", "1.10.0-rc.1"].map((version) => release(version));
		expect(offered(all, "1.0.0")).toBe("1.10.0");
		expect(offered(all.toReversed(), "1.0.0")).toBe("1.10.0");
	});

	it("is none at the newest version, beyond it, or without releases", () => {
		expect(offered([release("1.1.0")], "1.1.0")).toBeUndefined();
		expect(offered([release("1.1.0")], "2.0.0")).toBeUndefined();
		expect(offered([], "1.0.0")).toBeUndefined();
	});

	it("leads from a pre-release to its release", () => {
		expect(offered([release("1.1.0")], "1.1.0-rc.1")).toBe("1.1.0");
	});

	it("is the newest within reach where the newest has a minimum", () => {
		const all = [
			release("3.0.0", { min_current_version: "2.0.0" }),
			release("2.0.0", { min_current_version: "1.5.0" }),
			release("1.5.0"),
		];
		expect(offered(all, "1.0.0")).toBe("1.5.0");
		expect(offered(all, "1.5.0")).toBe("2.0.0");
		expect(offered(all, "2.0.0")).toBe("3.0.0");
	});

	it("is never below the known security version", () => {
		const all = [release("1.2.0", { security_version: 1 }), release("1.1.0", { security_version: 2 })];
		expect(offered(all, "1.0.0", 2)).toBe("1.1.0");
		expect(offered(all, "1.0.0", 3)).toBeUndefined();
	});

	it("is the newest for a device that does not say what it runs", () => {
		expect(offered([release("1.1.0"), release("2.0.0", { min_current_version: "1.5.0" })])).toBe("2.0.0");
	});

	it("is settled by the build number where versions are equal in order", () => {
		const all = [release("1.1.0+a", { build_number: 2 }), release("1.1.0+b", { build_number: 1 })];
		expect(offered(all, "1.0.0")).toBe("1.1.0+a");
	});

	it("is always one that the device may install, and none such is newer", () => {
		const version = fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3)).map((parts) => parts.join("."));
		const any = fc.record({
			version,
			build_number: fc.nat(2),
			security_version: fc.nat(2),
			min_current_version: fc.option(version),
			released_at: fc.nat(2),
		});
		fc.assert(
			fc.property(
				fc.array(any),
				version,
				fc.option(fc.nat(2), { nil: undefined }),
				(all, currentVersion, currentSecurityVersion) => {
					const may = (item: OfferableRelease) =>
						compareVersions(item.version, currentVersion) > 0 &&
						compareVersions(currentVersion, item.min_current_version ?? "0.0.0") >= 0 &&
						item.security_version >= (currentSecurityVersion ?? 0);
					const chosen = chooseRelease(all, { currentVersion, currentSecurityVersion });
					const allowed = all.filter(may);
					expect(chosen === undefined).toBe(allowed.length === 0);
					if (chosen === undefined) return;
					expect(may(chosen)).toBe(true);
					for (const item of allowed)
						expect(compareVersions(chosen.version, item.version)).toBeGreaterThanOrEqual(0);
				},
			),
		);
	});
});
