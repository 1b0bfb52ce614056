// The one text the updater keeps in non-volatile storage, and its shape (docs/protocol.md §13). It may be lost at any
// time: what is unreadable is treated as absent, section by section, because a newer firmware may have written it and
// been rolled back since. Parsing never throws; nothing here decides or stores anything.
import { utf8Encode } from "../protocol/encoding.js";
import { type ErrorCode, isErrorCode } from "../protocol/error-codes.js";
import { HASH_PATTERN, type JsonFields, NAME_PATTERN, parseJsonObject } from "../protocol/json.js";
import {
	COUNTER_MAX,
	IMAGE_MAX_BYTES,
	IMAGE_MIN_BYTES,
	REASON_MAX_CHARS,
	SECTOR_BYTES,
	STATE_MAX_BYTES,
	UINT32_MAX,
	VERSION_MAX_CHARS,
} from "../protocol/limits.js";
import { DEVICE_STATES, type DeviceState } from "../protocol/status-report.js";

export const BAD_RELEASES_MAX = 4;
export const OUTCOMES_MAX = 3;
/** Largest number of tries that is told apart from more. */
export const COUNT_MAX = 1000;

/** What the release statement says about an image, as far as it is needed after a reset. */
export interface Release {
	readonly version: string;
	readonly hash: string;
	readonly sizeBytes: number;
	readonly securityVersion: number;
	readonly releasedAt: number;
}

/** The release under way. */
export interface Job {
	readonly release: Release;
	/** Label of the slot it is written to. */
	readonly slot: string;
	/**
	 * push: the data is a push's, with no MAC of its own; nothing builds on it. It stands here before the first byte is
	 * written. activated: written before the boot record is set, so the record may be missing.
	 */
	readonly phase: "download" | "push" | "activated";
	/** Data lies below this offset only, and everything below was erased completely. 0: nothing is known. */
	readonly erasedBytes: number;
	/** Downloads from scratch that ended in a bad image or a flash fault. */
	readonly tryCount: number;
	/** Times the boot record was set, or about to be. */
	readonly activationCount: number;
}

/** A release that is not installed again until it is signed anew. */
export interface BadRelease {
	readonly version: string;
	/** Undefined when the image came by cable: then the version is what is remembered. */
	readonly hash: string | undefined;
	readonly releasedAt: number;
	readonly code: ErrorCode;
}

/** A rollback that was decided; written before it is carried out. */
export interface RollbackNote {
	/** The slot and version that are left. */
	readonly slot: string;
	readonly version: string;
	readonly hash: string | undefined;
	readonly releasedAt: number;
	readonly code: ErrorCode;
	readonly message: string;
	readonly orderId: number | undefined;
	readonly tryCount: number;
}

/** How an update ended, until the server has accepted the report. */
export interface PendingOutcome {
	readonly kind: "completed" | "failed" | "rolled-back";
	readonly version: string;
	readonly hash: string | undefined;
	readonly code: ErrorCode | undefined;
	readonly message: string;
	readonly orderId: number | undefined;
	/** Where a failure was; see FailurePlace. */
	readonly stage?: DeviceState | undefined;
	readonly offsetBytes?: number | undefined;
}

export interface PersistentState {
	readonly job: Job | undefined;
	readonly rollback: RollbackNote | undefined;
	/** The confirmed release, if it came over the air. */
	readonly installed: Release | undefined;
	/** Oldest first. */
	readonly badReleases: readonly BadRelease[];
	/** Oldest first. */
	readonly outcomes: readonly PendingOutcome[];
	/** Highest security_version that was ever confirmed here. */
	readonly securityVersion: number;
	/** The operator's last order that was carried out or answered; 0 when there was none. */
	readonly lastOrderId: number;
	/** Restarts for want of an answer since the server was last reached. */
	readonly unheardRestarts: number;
}

export const FRESH_STATE: PersistentState = {
	job: undefined,
	rollback: undefined,
	installed: undefined,
	badReleases: [],
	outcomes: [],
	securityVersion: 0,
	lastOrderId: 0,
	unheardRestarts: 0,
};

/**
 * Always within STATE_MAX_BYTES: full lists with the longest plain messages are, and of longer ones (beyond ASCII) the
 * oldest outcomes, then the oldest bad releases are left out.
 */
export function encodeState(state: PersistentState): string {
	let fitting = state;
	for (;;) {
		const text = JSON.stringify(fitting);
		const { outcomes, badReleases } = fitting;
		if (utf8Encode(text).length <= STATE_MAX_BYTES || outcomes.length + badReleases.length === 0) return text;
		if (outcomes.length > 0) fitting = { ...fitting, outcomes: outcomes.slice(1) };
		else fitting = { ...fitting, badReleases: badReleases.slice(1) };
	}
}

/** Never throws: what cannot be read is absent. */
export function parseState(text: string | undefined): PersistentState {
	if (text === undefined) return FRESH_STATE;
	const fields = attempt<JsonFields | undefined>(undefined, () =>
		text.length > STATE_MAX_BYTES
			? undefined
			: parseJsonObject(utf8Encode(text), { maxBytes: STATE_MAX_BYTES, code: "storage-failed" }),
	);
	if (fields === undefined) return FRESH_STATE;
	return {
		job: attempt(undefined, () => parseOptional(fields.optionalObject("job"), parseJob)),
		rollback: attempt(undefined, () => parseOptional(fields.optionalObject("rollback"), parseRollback)),
		installed: attempt(undefined, () => parseOptional(fields.optionalObject("installed"), parseRelease)),
		badReleases: attempt([], () => fields.objects("badReleases", BAD_RELEASES_MAX).map(parseBadRelease)),
		outcomes: attempt([], () => fields.objects("outcomes", OUTCOMES_MAX).map(parseOutcome)),
		securityVersion: attempt(0, () => fields.integer("securityVersion", 0, UINT32_MAX)),
		lastOrderId: attempt(0, () => fields.integer("lastOrderId", 0, COUNTER_MAX)),
		unheardRestarts: attempt(0, () => fields.optionalInteger("unheardRestarts", 0, COUNT_MAX) ?? 0),
	};
}

// Swallows on purpose: garbage in one section must cost neither the others nor the start of the device.
function attempt<T>(otherwise: T, parse: () => T): T {
	try {
		return parse();
	} catch {
		return otherwise;
	}
}

function parseOptional<T>(fields: JsonFields | undefined, parse: (fields: JsonFields) => T): T | undefined {
	return fields === undefined ? undefined : parse(fields);
}

function parseRelease(fields: JsonFields): Release {
	return {
		version: fields.string("version", VERSION_MAX_CHARS),
		hash: fields.string("hash", 64, HASH_PATTERN),
		sizeBytes: fields.integer("sizeBytes", IMAGE_MIN_BYTES, IMAGE_MAX_BYTES),
		securityVersion: fields.integer("securityVersion", 0, UINT32_MAX),
		releasedAt: fields.integer("releasedAt", 0, COUNTER_MAX),
	};
}

function parseJob(fields: JsonFields): Job {
	const erasedBytes = fields.integer("erasedBytes", 0, IMAGE_MAX_BYTES);
	return {
		release: parseRelease(fields.object("release")),
		slot: fields.string("slot", 16, NAME_PATTERN),
		phase: fields.oneOf("phase", ["download", "push", "activated"]),
		// An offset inside a sector cannot be ours: nothing is known then.
		erasedBytes: erasedBytes % SECTOR_BYTES === 0 ? erasedBytes : 0,
		tryCount: fields.integer("tryCount", 0, COUNT_MAX),
		activationCount: fields.integer("activationCount", 0, COUNT_MAX),
	};
}

function parseBadRelease(fields: JsonFields): BadRelease {
	return {
		version: fields.string("version", VERSION_MAX_CHARS),
		hash: fields.optionalString("hash", 64, HASH_PATTERN),
		releasedAt: fields.integer("releasedAt", 0, COUNTER_MAX),
		code: parseCode(fields) ?? "device-failed",
	};
}

function parseRollback(fields: JsonFields): RollbackNote {
	return {
		slot: fields.string("slot", 16, NAME_PATTERN),
		version: fields.string("version", VERSION_MAX_CHARS),
		hash: fields.optionalString("hash", 64, HASH_PATTERN),
		releasedAt: fields.integer("releasedAt", 0, COUNTER_MAX),
		code: parseCode(fields) ?? "device-failed",
		message: fields.string("message", REASON_MAX_CHARS),
		orderId: fields.optionalInteger("orderId", 1, COUNTER_MAX),
		tryCount: fields.integer("tryCount", 0, COUNT_MAX),
	};
}

function parseOutcome(fields: JsonFields): PendingOutcome {
	return {
		kind: fields.oneOf("kind", ["completed", "failed", "rolled-back"]),
		version: fields.string("version", VERSION_MAX_CHARS),
		hash: fields.optionalString("hash", 64, HASH_PATTERN),
		code: parseCode(fields),
		message: fields.string("message", REASON_MAX_CHARS),
		orderId: fields.optionalInteger("orderId", 1, COUNTER_MAX),
		...(fields.has("stage") && {
			stage: fields.oneOf("stage", DEVICE_STATES),
			offsetBytes: fields.integer("offsetBytes", 0, IMAGE_MAX_BYTES),
		}),
	};
}

// A code that only a newer firmware knows must not hide that something went wrong.
function parseCode(fields: JsonFields): ErrorCode | undefined {
	const code = fields.optionalString("code", 40);
	if (code === undefined) return undefined;
	return isErrorCode(code) ? code : "device-failed";
}
