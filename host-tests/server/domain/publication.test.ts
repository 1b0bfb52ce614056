// What becomes of an upload beside what is there, as a table.
import { describe, expect, it } from "vitest";
import { checkClaims, decidePublication, type PublishedRelease } from "../../../server/domain/publication.js";
import type { ReleaseStatement } from "../../../src/protocol/release-statement.js";

const statement: ReleaseStatement = {
	deviceType: "t",
	chip: "esp32",
	version: "1.1.0",
	buildNumber: 3,
	securityVersion: 1,
	sizeBytes: 1000,
	hash: "a".repeat(64),
	minCurrentVersion: "1.0.0",
	releasedAt: 100,
};
const published: PublishedRelease = {
	hash: statement.hash,
	chip: "esp32",
	build_number: 3,
	security_version: 1,
	min_current_version: "1.0.0",
	released_at: 100,
};

describe("what becomes of an upload", () => {
	it.each([
		["create", undefined],
		["unchanged", published],
		["reissue", { ...published, released_at: 99 }],
		["reissue", { ...published, released_at: 99, security_version: 0 }],
		["conflict", { ...published, released_at: 101 }],
		["conflict", { ...published, hash: "b".repeat(64) }],
		["conflict", { ...published, hash: "b".repeat(64), released_at: 1 }],
		["conflict", { ...published, chip: "esp32s3" }],
		["conflict", { ...published, build_number: 4 }],
		["conflict", { ...published, security_version: 0 }],
		["conflict", { ...published, min_current_version: null }],
	] as const)("is %s beside %j", (decision, existing) => {
		expect(decidePublication(existing, statement)).toBe(decision);
	});
});

describe("claims beside a statement", () => {
	it("may be left out, but must be true", () => {
		checkClaims({}, statement);
		checkClaims(
			{ version: "1.1.0", size: 1000, hash: statement.hash, buildNumber: 3, deviceType: "t" },
			statement,
		);
		for (const claim of [
			{ version: "1.1" },
			{ size: 0 },
			{ hash: "" },
			{ buildNumber: 0 },
			{ deviceType: "" },
		])
			expect(() => checkClaims(claim, statement)).toThrow(
				expect.objectContaining({ code: "manifest-mismatch" }),
			);
	});
});
