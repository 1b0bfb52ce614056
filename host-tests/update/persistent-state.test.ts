import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8Encode } from "../../src/protocol/encoding.js";
import { ERROR_CODES, type ErrorCode, FotaError } from "../../src/protocol/error-codes.js";
import { STATE_MAX_BYTES } from "../../src/protocol/limits.js";
import { bookEnding, type Ending } from "../../src/update/bookkeeping.js";
import {
	encodeState,
	FRESH_STATE,
	type PersistentState,
	parseState,
} from "../../src/update/persistent-state.js";

const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
const version = fc.constantFrom("1.0.0", "1.1.0", "12.0.3-rc.1");
const code = fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[]));
const release = fc.record({
	version,
	hash,
	sizeBytes: fc.integer({ min: 400, max: 8_388_608 }),
	securityVersion: fc.nat(),
	releasedAt: fc.maxSafeNat(),
});
const left = fc.record({
	version,
	hash: fc.option(hash, { nil: undefined }),
	releasedAt: fc.maxSafeNat(),
	code,
	message: fc.string({ unit: "binary", maxLength: 300 }),
	orderId: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
});
const error = fc
	.tuple(code, fc.string({ unit: "binary", maxLength: 300 }))
	.map(([errorCode, message]) => new FotaError(errorCode, message));
const ending: fc.Arbitrary<Ending> = fc.oneof(
	fc.record({ kind: fc.constant("completed" as const), release: fc.option(release, { nil: undefined }) }),
	fc.record({ kind: fc.constant("failed" as const), error, release: fc.option(release, { nil: undefined }) }),
	fc.record({ kind: fc.constant("rolled-back" as const), left }),
	fc.record({
		kind: fc.constant("rollback-failed" as const),
		error,
		orderId: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
	}),
);

function stateAfter(endings: readonly Ending[]): PersistentState {
	let state = FRESH_STATE;
	for (const item of endings)
		state = { ...state, ...bookEnding(state, item, { version: "1.0.0", slot: "ota_1" }) };
	return state;
}

describe("the persistent state", () => {
	it("reads back what any history of endings has written, within the limit of the storage", () => {
		fc.assert(
			fc.property(fc.array(ending, { maxLength: 12 }), (endings) => {
				const state = stateAfter(endings);
				const text = encodeState(state);
				expect(utf8Encode(text).length).toBeLessThanOrEqual(STATE_MAX_BYTES);
				expect(parseState(text)).toEqual(state);
			}),
		);
	});

	it.each(["x", "ä", "中"])("fits its storage when every list and text is full of '%s'", (character) => {
		const message = character.repeat(120);
		const long = { version: "1".repeat(31), hash: "a".repeat(64), releasedAt: Number.MAX_SAFE_INTEGER };
		const orderId = Number.MAX_SAFE_INTEGER;
		const full: PersistentState = {
			job: {
				release: { ...long, sizeBytes: 8_388_608, securityVersion: 0xffff_ffff },
				slot: "s".repeat(16),
				phase: "activated",
				erasedBytes: 8_388_608,
				tryCount: 1000,
				activationCount: 1000,
			},
			rollback: { ...long, slot: "ota_1", code: "boot-unconfirmed", message, orderId, tryCount: 1000 },
			installed: { ...long, sizeBytes: 8_388_608, securityVersion: 0xffff_ffff },
			badReleases: Array(4).fill({ ...long, code: "bootloader-without-rollback" }),
			outcomes: [1, 2, 3].map(() => ({
				kind: "rolled-back",
				version: long.version,
				hash: long.hash,
				code: "bootloader-without-rollback",
				message,
				orderId,
			})),
			securityVersion: 0xffff_ffff,
			lastOrderId: orderId,
			unheardRestarts: 1000,
		};
		const text = encodeState(full);
		expect(utf8Encode(text).length).toBeLessThanOrEqual(STATE_MAX_BYTES);
		const back = parseState(text);
		expect(back.rollback).toEqual(full.rollback);
		expect(back.job).toEqual(full.job);
		if (character === "x") expect(back).toEqual(full);
		expect(back.outcomes.length).toBeGreaterThan(0);
	});

	it("never throws, whatever the text", () => {
		fc.assert(
			fc.property(
				fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.constant("[".repeat(3000))),
				(text) => {
					expect(parseState(text)).toBeDefined();
				},
			),
		);
	});

	it("is a fresh one when there is nothing, garbage, or too much", () => {
		for (const text of [undefined, "", "{", "null", "[]", "{}", " ".repeat(5000), "\ud800"])
			expect(parseState(text)).toEqual(FRESH_STATE);
	});

	it("gives up only the section that cannot be read", () => {
		const state = stateAfter([
			{ kind: "rolled-back", left: { ...fc.sample(left, 1)[0], message: "m" } as never },
		]);
		const spoilt = { ...state, job: { release: 5 }, securityVersion: 7, rollback: "x" };
		const parsed = parseState(JSON.stringify(spoilt));
		expect(parsed).toEqual({ ...state, securityVersion: 7 });
	});

	it("keeps an outcome whose code only a newer firmware knows", () => {
		const state = stateAfter([
			{ kind: "failed", error: new FotaError("image-invalid", "m"), release: RELEASE },
		]);
		const text = encodeState(state).replaceAll("image-invalid", "code-of-tomorrow");
		expect(parseState(text).outcomes[0]?.code).toBe("device-failed");
		expect(parseState(text).badReleases).toHaveLength(1);
	});

	it("does not believe an erased end inside a sector", () => {
		const job = {
			release: RELEASE,
			slot: "ota_1",
			phase: "download",
			erasedBytes: 5000,
			tryCount: 0,
			activationCount: 0,
		};
		expect(parseState(JSON.stringify({ job })).job?.erasedBytes).toBe(0);
	});
});

const RELEASE = {
	version: "1.1.0",
	hash: "b".repeat(64),
	sizeBytes: 40_960,
	securityVersion: 3,
	releasedAt: 9,
};
const CONTEXT = { version: "1.0.0", slot: "ota_1" };

describe("the books at the end of an update", () => {
	it("raise the security version only by a confirmed release", () => {
		expect(bookEnding(FRESH_STATE, { kind: "completed", release: RELEASE }, CONTEXT)?.securityVersion).toBe(
			3,
		);
		const error = new FotaError("image-invalid", "m");
		expect(
			bookEnding(FRESH_STATE, { kind: "failed", error, release: RELEASE }, CONTEXT)?.securityVersion,
		).toBeUndefined();
	});

	it.each<[ErrorCode, number]>([
		["hash-mismatch", 3],
		["flash-failed", 3],
		["image-invalid", 1],
		["chip-mismatch", 1],
	])("remember a release as bad after %s, at the %i. time", (errorCode, times) => {
		const failed: Ending = { kind: "failed", error: new FotaError(errorCode, "m"), release: RELEASE };
		for (let count = 1; count <= times; count++)
			expect(stateAfter(Array(count).fill(failed)).badReleases).toHaveLength(count === times ? 1 : 0);
	});

	it.each<ErrorCode>([
		"network-timeout",
		"download-stalled",
		"storage-failed",
		"release-unknown",
		"device-failed",
	])("write nothing for %s: it passes", (errorCode) => {
		const error = new FotaError(errorCode, "m");
		expect(bookEnding(FRESH_STATE, { kind: "failed", error, release: RELEASE }, CONTEXT)).toBeUndefined();
	});
});
