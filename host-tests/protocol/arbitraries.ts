// Values of the wire for fast-check, within their limits, and bytes that come close to being messages.
import fc from "fast-check";
import { utf8Encode } from "../../src/protocol/encoding.js";
import { ERROR_CODES, type ErrorCode, FotaError } from "../../src/protocol/error-codes.js";
import {
	CHUNK_SIZES_BYTES,
	COUNTER_MAX,
	IMAGE_MAX_BYTES,
	IMAGE_MIN_BYTES,
	UINT32_MAX,
} from "../../src/protocol/limits.js";
import { chunkCountOf, type Manifest } from "../../src/protocol/manifest.js";
import { CHIPS, type ReleaseStatement } from "../../src/protocol/release-statement.js";
import {
	BOOT_STATUSES,
	DEVICE_STATES,
	type ReportedSlot,
	SLOT_STATES,
	type StatusReport,
} from "../../src/protocol/status-report.js";

export const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
export const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/);
export const text = fc.stringMatching(/^[ -~äöü€😀]{1,60}$/u);
export const errorCode = fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[]));
const number = fc.nat(999_999_999);
const identifier = fc.oneof(fc.nat(9999).map(String), fc.stringMatching(/^[a-z-][0-9A-Za-z-]{0,3}$/));

export const version = fc
	.tuple(
		fc.nat(9999),
		fc.nat(9999),
		fc.nat(9999),
		fc.array(identifier, { maxLength: 3 }),
		fc.array(identifier, { maxLength: 1 }),
	)
	.map(([major, minor, patch, pre, build]) => {
		const core = `${major}.${minor}.${patch}`;
		return `${core}${pre.length ? `-${pre.join(".")}` : ""}${build.length ? `+${build.join(".")}` : ""}`;
	})
	.filter((item) => item.length <= 31);

export const manifest: fc.Arbitrary<Manifest> = fc
	.record({
		version,
		buildNumber: fc.nat(UINT32_MAX),
		sizeBytes: fc.integer({ min: IMAGE_MIN_BYTES, max: IMAGE_MAX_BYTES }),
		hash,
		chunkBytes: fc.constantFrom(...CHUNK_SIZES_BYTES),
		release: fc.stringMatching(/^[A-Za-z0-9_.-]{1,200}$/),
	})
	.map((item) => ({ ...item, chunkCount: chunkCountOf(item.sizeBytes, item.chunkBytes) }));

export const statement: fc.Arbitrary<ReleaseStatement> = fc.record({
	deviceType: name,
	chip: fc.constantFrom(...CHIPS),
	version,
	buildNumber: fc.nat(UINT32_MAX),
	securityVersion: fc.nat(UINT32_MAX),
	sizeBytes: fc.integer({ min: IMAGE_MIN_BYTES, max: IMAGE_MAX_BYTES }),
	hash,
	minCurrentVersion: fc.option(version, { nil: undefined }),
	releasedAt: fc.nat(COUNTER_MAX),
});

const slot: fc.Arbitrary<ReportedSlot> = fc.record({
	label: fc.constantFrom("ota_0", "ota_1", "factory"),
	state: fc.constantFrom(...SLOT_STATES),
	version: fc.option(version, { nil: undefined }),
	hash: fc.option(hash, { nil: undefined }),
});

export const report: fc.Arbitrary<StatusReport> = fc.record({
	state: fc.constantFrom(...DEVICE_STATES),
	bootStatus: fc.constantFrom(...BOOT_STATUSES),
	deviceType: name,
	chip: fc.constantFrom(...CHIPS),
	version,
	slot: fc.constantFrom("ota_0", "ota_1", "factory"),
	resetReason: fc.stringMatching(/^[a-z0-9_]{1,16}$/),
	uptimeSeconds: fc.nat(UINT32_MAX),
	target: fc.option(fc.record({ version, hash }), { nil: undefined }),
	chunksReceived: fc.option(fc.nat(8192), { nil: undefined }),
	chunkCount: fc.option(fc.integer({ min: 1, max: 8192 }), { nil: undefined }),
	isVerified: fc.option(fc.boolean(), { nil: undefined }),
	trialBoots: fc.option(fc.nat(255), { nil: undefined }),
	isRolledBack: fc.option(fc.boolean(), { nil: undefined }),
	rollbackOrderId: fc.option(
		number.map((item) => item + 1),
		{ nil: undefined },
	),
	error: fc.option(fc.record({ code: errorCode, message: text }), { nil: undefined }),
	isSecurityEvent: fc.option(fc.boolean(), { nil: undefined }),
	offsetBytes: fc.option(fc.nat(IMAGE_MAX_BYTES), { nil: undefined }),
	memoryMinBytes: fc.option(fc.nat(UINT32_MAX), { nil: undefined }),
	rssiDbm: fc.option(fc.integer({ min: -128, max: 0 }), { nil: undefined }),
	slots: fc.option(fc.array(slot, { minLength: 1, maxLength: 3 }), { nil: undefined }),
});

const deep = fc
	.integer({ min: 1, max: 4000 })
	.chain((depth) =>
		fc.constantFrom(
			"[".repeat(depth),
			"[".repeat(depth) + "]".repeat(depth),
			'{"a":'.repeat(depth),
			`{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`,
		),
	);

/** Garbage of all kinds; `near` is text of a valid message, which is then damaged. */
export function garbage(near: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
	const damaged = fc.tuple(near.map(utf8Encode), fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
		const copy = bytes.slice();
		if (copy.length > 0) copy[at % copy.length] = byte;
		return copy;
	});
	const cut = fc
		.tuple(near.map(utf8Encode), fc.nat())
		.map(([bytes, at]) => bytes.slice(0, at % (bytes.length + 1)));
	return fc.oneof(
		fc.uint8Array({ maxLength: 3000 }),
		fc.json().map(utf8Encode),
		deep.map(utf8Encode),
		damaged,
		cut,
	);
}

/** What a parser did: its value, or the code of its FotaError. Anything else thrown is a fault and goes on. */
export function outcomeOf<T>(parse: () => T): { value: T } | { code: ErrorCode } {
	try {
		return { value: parse() };
	} catch (cause) {
		if (cause instanceof FotaError) return { code: cause.code };
		throw cause;
	}
}
