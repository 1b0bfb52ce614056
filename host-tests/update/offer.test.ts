import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/protocol/error-codes.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import type { Manifest } from "../../src/protocol/manifest.js";
import type { ReleaseStatement } from "../../src/protocol/release-statement.js";
import { judgeOffer, type OfferContext } from "../../src/update/offer.js";
import { FakeCrypto } from "../fakes/fake-crypto.js";
import { FakeDevice } from "../fakes/fake-device.js";
import { fakeJws, fakeManifest, fakeRelease } from "../fakes/fake-image.js";

const { statement: GOOD } = fakeRelease({ version: "1.1.0", sizeBytes: 40_960 });
const CONTEXT: OfferContext = {
	crypto: new FakeCrypto(),
	device: { deviceType: "inverter", chip: "esp32c3", version: "1.0.0" },
	persistent: { securityVersion: 0, badReleases: [] },
	running: { securityVersion: 0 },
	slotBytes: 0x10_0000,
	chunkBytes: 4096,
	hasBootloaderRollback: true,
};

function verdict(manifest: Manifest, context: Partial<OfferContext> = {}): ErrorCode | "accepted" {
	try {
		judgeOffer(manifest, { ...CONTEXT, ...context });
		return "accepted";
	} catch (cause) {
		if (cause instanceof FotaError) return cause.code;
		throw cause;
	}
}

function signed(changes: Partial<ReleaseStatement>): Manifest {
	return fakeManifest({ ...GOOD, ...changes }, 4096);
}

const manifest = fakeManifest(GOOD, 4096);
const bad = { version: "1.1.0", hash: GOOD.hash, releasedAt: GOOD.releasedAt, code: "boot-crashed" as const };

describe("judgeOffer", () => {
	it.each<[string, Manifest, Partial<OfferContext>, ErrorCode | "accepted"]>([
		["a good release", manifest, {}, "accepted"],
		["smaller chunks than asked for", fakeManifest(GOOD, 1024), {}, "accepted"],
		["larger chunks than there is a buffer for", fakeManifest(GOOD, 16_384), {}, "answer-malformed"],
		["no JWS", { ...manifest, release: "x" }, {}, "statement-malformed"],
		["a foreign signature", { ...manifest, release: fakeJws(GOOD, 2) }, {}, "signature-invalid"],
		["another version beside it", { ...manifest, version: "1.2.0" }, {}, "manifest-mismatch"],
		["another size beside it", { ...manifest, sizeBytes: 40_944 }, {}, "manifest-mismatch"],
		["another hash beside it", { ...manifest, hash: "0".repeat(64) }, {}, "manifest-mismatch"],
		["another device type", signed({ deviceType: "meter" }), {}, "device-type-mismatch"],
		["another chip", signed({ chip: "esp32" }), {}, "chip-mismatch"],
		["the running version", signed({ version: "1.0.0" }), {}, "version-not-newer"],
		["an older version", signed({ version: "0.9.9" }), {}, "version-not-newer"],
		["a pre-release of the running version", signed({ version: "1.0.0-rc.1" }), {}, "version-not-newer"],
		["a release that needs another before it", signed({ minCurrentVersion: "1.0.1" }), {}, "version-too-old"],
		["the lowest version it may come from", signed({ minCurrentVersion: "1.0.0" }), {}, "accepted"],
		[
			"a security version below the one reached",
			signed({ securityVersion: 1 }),
			{ persistent: { securityVersion: 2, badReleases: [] } },
			"security-downgrade",
		],
		[
			"a security version below that of the running image, when storage has lost it",
			signed({ securityVersion: 1 }),
			{ running: { securityVersion: 2 } },
			"security-downgrade",
		],
		[
			"the security version of the running image",
			signed({ securityVersion: 2 }),
			{ running: { securityVersion: 2 } },
			"accepted",
		],
		["an image larger than the slot", manifest, { slotBytes: 40_959 }, "image-too-large"],
		[
			"a release that was rolled back",
			manifest,
			{ persistent: { securityVersion: 0, badReleases: [bad] } },
			"release-known-bad",
		],
		[
			"the same signed anew",
			signed({ releasedAt: GOOD.releasedAt + 1 }),
			{ persistent: { securityVersion: 0, badReleases: [bad] } },
			"accepted",
		],
		[
			"a version that was left and had come by cable",
			manifest,
			{
				persistent: {
					securityVersion: 0,
					badReleases: [{ ...bad, hash: undefined, releasedAt: Number.MAX_SAFE_INTEGER }],
				},
			},
			"release-known-bad",
		],
		[
			"anything to an old bootloader",
			manifest,
			{ hasBootloaderRollback: false },
			"bootloader-without-rollback",
		],
	])("answers %s", (_what, offered, context, wanted) => {
		expect(verdict(offered, context)).toBe(wanted);
	});

	it.each([
		["boot-crashed", "failed here: boot-crashed"],
		["rollback-requested", "left here as ordered"],
	] as const)(
		"says why a release is known after %s, without its version, which stands before",
		(code, message) => {
			const persistent = { securityVersion: 0, badReleases: [{ ...bad, code }] };
			expect(() => judgeOffer(manifest, { ...CONTEXT, persistent })).toThrow(
				new FotaError("release-known-bad", message),
			);
		},
	);

	it("looks at the signature before anything else", () => {
		const forged = { ...signed({ deviceType: "meter", version: "0.1.0" }), hash: "0".repeat(64) };
		expect(verdict({ ...forged, release: fakeJws(GOOD, 9) })).toBe("signature-invalid");
	});
});

describe("a device that is offered something it refuses", () => {
	it.each<[string, Partial<ReleaseStatement>, number, ErrorCode]>([
		["a foreign signature", {}, 2, "signature-invalid"],
		["another device type", { deviceType: "meter" }, 1, "device-type-mismatch"],
		["another chip", { chip: "esp32s3" }, 1, "chip-mismatch"],
		["a release that needs another before it", { minCurrentVersion: "1.0.5" }, 1, "version-too-old"],
		["an image larger than the slot", { sizeBytes: 0x7f_0000 }, 1, "image-too-large"],
	])("touches nothing, says so once, and asks on: %s", (_what, changes, signature, code) => {
		const device = new FakeDevice();
		const release = fakeRelease({ version: "1.1.0" });
		device.server.release = { ...release, statement: { ...release.statement, ...changes } };
		device.server.alterManifest = (offered) => ({
			...offered,
			release: fakeJws({ ...release.statement, ...changes }, signature),
		});
		device.run(6 * 3_600_000);
		expect(device.power.count).toBe(0);
		expect(device.server.requests.filter((kind) => kind === "manifest").length).toBeGreaterThan(4);
		const reports = device.server.reports.filter((report) => report.error?.code === code);
		expect(reports).toHaveLength(1);
		expect(device.log.filter((line) => line.includes(`${code}: 1.1.0`))).toHaveLength(1);
		expect(reports[0]?.isSecurityEvent ?? false).toBe(code === "signature-invalid");
	});
});
