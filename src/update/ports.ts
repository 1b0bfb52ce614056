// What the update code needs from the world, as types. Adapters implement them for Moddable on the chip and in the
// simulator, host-tests/fakes for tables; one contract suite a port holds all of them to the same meaning.
import type { FotaError } from "../protocol/error-codes.js";
import type { Manifest } from "../protocol/manifest.js";
import type { ReleaseStatement, SignedStatement } from "../protocol/release-statement.js";
import type { RollbackOrder } from "../protocol/rollback-order.js";
import type { DeviceState, StatusAnswer, StatusReport } from "../protocol/status-report.js";

/** An expected outcome is a value; only broken assumptions throw. */
export type Outcome<T> =
	| { readonly value: T; readonly error?: never }
	| { readonly error: FotaError; readonly value?: never };

export interface Clock {
	/** Monotonic since start, in milliseconds; never jumps. */
	nowMs(): number;
}

export type TimerId = unknown;

export interface Timer {
	/** Calls back once, from the event loop, never from inside set(). A throw in the callback is caught and logged. */
	set(callback: () => void, delayMs: number): TimerId;
	/** Nothing happens if it has fired or was cleared. */
	clear(id: TimerId): void;
}

export interface Random {
	/** An integer in [0, bound), from a cryptographic source. */
	below(bound: number): number;
}

export type LogLevel = "info" | "warn" | "error" | "security";

export interface Log {
	/** One line on the serial port. Secrets never come here. */
	write(level: LogLevel, text: string): void;
}

export type SlotState = "new" | "on-trial" | "valid" | "invalid" | "aborted" | "undefined";

export interface SlotInfo {
	/** Partition label: ota_0, ota_1, factory. */
	readonly label: string;
	readonly sizeBytes: number;
	readonly state: SlotState;
	/** Version of the image that begins there, if one does; says nothing about the rest of it. */
	readonly version: string | undefined;
	/** secure_version of the image that begins there; 0 when none does. */
	readonly securityVersion: number;
	/** Trial boots recorded for this slot. */
	readonly trialBoots: number;
}

/**
 * The running slot and the spare one. All calls block. Operating faults throw FotaError (`flash-failed` unless said
 * otherwise). On trial, prepare, erase, write and activate throw: the old image is the way back.
 */
export interface Slots {
	running(): SlotInfo;
	spare(): SlotInfo;
	isOnTrial(): boolean;
	/** Trial boots an image is given, this one included. */
	trialBootsMax(): number;
	/** False once the bootloader was seen not to put a new image on trial. */
	hasBootloaderRollback(): boolean;
	/** Makes the spare slot safe to be erased: no boot record names it any more. Before the first erase. */
	prepare(): void;
	/** Erases whole sectors of the spare slot. After a reset: perhaps partly. */
	erase(offsetBytes: number, lengthBytes: number): void;
	/**
	 * Programs erased flash of the spare slot, or the same bytes once more. After a reset: any part of the bits that were
	 * to be cleared.
	 */
	write(offsetBytes: number, buffer: Uint8Array, bufferOffset: number, byteCount: number): void;
	read(offsetBytes: number, buffer: Uint8Array, bufferOffset: number, byteCount: number): void;
	/** True if all bytes of the range of the spare slot are erased in the flash itself. */
	isErased(offsetBytes: number, lengthBytes: number): boolean;
	/** The chip's own image check of the spare slot: its length in bytes. Throws `image-invalid`. */
	verifyImage(): number;
	/** Sets the spare slot as the next to boot, on trial. Throws `activate-failed`; then nothing has changed. */
	activate(): void;
	/** Ends the trial of the running image for good. */
	confirm(): void;
	canRollBack(): boolean;
	/** Marks the running image invalid and restarts into the other one; does not return. Throws `rollback-impossible`. */
	rollBack(): void;
}

/** Digest over image bytes, streamed. */
export interface ImageHasher {
	update(buffer: Uint8Array, offset: number, byteCount: number): void;
	/** Hex of the hash; the next update begins a new one. */
	digestHex(): string;
}

export interface Crypto {
	readonly hasher: ImageHasher;
	/** True if the statement is signed by a trusted release key. About 80 ms. */
	isTrusted(signed: SignedStatement): boolean;
	/** Takes the chunk key of the image with this hash; until the next call. */
	useImage(hash: string): void;
	/** Verifies a chunk in constant time: `dataBytes` of data in `buffer` from 0, its MAC right behind. */
	isChunkAuthentic(chunkNumber: number, buffer: Uint8Array, dataBytes: number): boolean;
}

export interface ManifestQuery {
	readonly version: string;
	readonly chunkBytes: number;
}

export interface ChunkRequest {
	readonly hash: string;
	readonly chunkBytes: number;
	readonly first: number;
	readonly count: number;
	/** The first chunk lies in flash already: its frame is to come without data, to be authenticated there. */
	readonly isFirstHeld: boolean;
	/** Exact length of the body in bytes (chunk-frames.ts framesLength). */
	readonly bodyBytes: number;
	/**
	 * Most bytes to hand over next, at least 1: no more than the rest of a chunk is taken into RAM before it is written. What
	 * comes in one piece with the head of an answer may be more.
	 */
	readonly wantedBytes: () => number;
	/** Pieces as they come, valid only during the call; false ends the request with `chunk-malformed`. Must not throw. */
	readonly onData: (buffer: Uint8Array, offset: number, byteCount: number) => boolean;
	/** Once, last, not from inside fetchChunks(). */
	readonly onDone: (error: FotaError | undefined) => void;
}

/**
 * The server, authenticated both ways. Every `done` is called once, later, with an outcome: no call waits for ever.
 * Reports use a connection of their own, so they pass while chunks stream.
 */
export interface Cloud {
	/** The release offered to this device; undefined when there is none. */
	manifest(query: ManifestQuery, done: (outcome: Outcome<Manifest | undefined>) => void): void;
	fetchChunks(request: ChunkRequest): void;
	report(report: StatusReport, done: (outcome: Outcome<StatusAnswer>) => void): void;
	rollbackOrder(done: (outcome: Outcome<RollbackOrder | undefined>) => void): void;
	/** Ends what is under way with `network-unavailable` and drops the connections; the next call opens new ones. */
	disconnect(): void;
}

/** One small text in non-volatile storage, written as a whole: after a power cut it is the old or the new one. */
export interface StateStore {
	read(): string | undefined;
	/** Throws `storage-failed`; then the old text stands. */
	write(text: string): void;
}

/** What a sender on the local network proposes; its credential was checked. */
export interface PushOffer {
	/** The release statement, compact JWS. */
	readonly release: string;
	/** Bytes it is going to send. */
	readonly sizeBytes: number;
}

/** What becomes of an accepted push. Both are called later, from the event loop, and must not throw. */
export interface PushListener {
	/** The slot is ready: bytes may come. */
	readonly onReady: () => void;
	/** Once, last. Without an error the image is verified and activated, and the device restarts in some seconds. */
	readonly onEnd: (error: FotaError | undefined) => void;
}

/** Where the bytes of an accepted push go. Neither call throws. */
export interface PushSink {
	/** Between onReady and onEnd; takes all of them, or false: the push is over. */
	take(buffer: Uint8Array, offset: number, byteCount: number): boolean;
	/** The sender is gone or too slow. No effect once the last byte was taken. */
	abort(error: FotaError): void;
}

/** The updater as the push server sees it. */
export interface PushTarget {
	/** Judges the statement as a pulled one, before anything is erased. Throws FotaError with the code of the refusal. */
	offerPush(offer: PushOffer, listener: PushListener): PushSink;
	/**
	 * Whoever has the device's key stands in for the server: the release on trial stays if it is well, though no report was
	 * accepted. True: it was confirmed already. Throws `release-unknown` where another runs, and the faults of a statement.
	 */
	confirmPush(release: string): boolean;
	/** Something at the push port that the security log of the server should know; never throws. */
	notePush(error: FotaError): void;
	/** The device as it would report itself now. Throws `flash-failed`. */
	report(): StatusReport;
}

export interface Device {
	readonly deviceType: string;
	readonly chip: ReleaseStatement["chip"];
	/** Version of the running firmware. */
	readonly version: string;
	/** As in StatusReport.resetReason. */
	readonly resetReason: string;
	/** This start found key-value storage unusable and erased it: what was kept there is gone. */
	readonly hasErasedStorage: boolean;
	/** Least native memory that was free since this start; undefined where nobody knows. Does not throw. */
	memoryMinBytes(): number | undefined;
	/** Signal strength of the access point, -128 to 0; undefined without one. Does not throw. */
	rssiDbm(): number | undefined;
	/** Restarts the chip; does not return. */
	restart(): void;
}

/** A check of the application's own that a new firmware must pass before it is confirmed. */
export interface HealthCheck {
	readonly name: string;
	/** True when healthy. A throw counts as unhealthy. */
	readonly isHealthy: () => boolean;
}

export interface UpdateProgress {
	readonly state: DeviceState;
	/** Of the image, in flash; 0 where nothing is received. */
	readonly percent: number;
}

/** Hears how an update goes: at each state, and at each 5 % of an image. What it throws is logged. */
export interface UpdateObserver {
	updateMoved(progress: UpdateProgress): void;
}

/** What an LED is to show; led.ts decides it, an observer shows it. */
export type LedSign =
	| { readonly kind: "steady"; readonly isOn: boolean }
	/** On and off, `halfMs` each; without end where `blinkCount` is undefined, else dark after so many. */
	| { readonly kind: "blink"; readonly halfMs: number; readonly blinkCount: number | undefined };

export interface Ports {
	readonly clock: Clock;
	readonly timer: Timer;
	readonly random: Random;
	readonly log: Log;
	readonly slots: Slots;
	readonly crypto: Crypto;
	readonly cloud: Cloud;
	readonly store: StateStore;
	readonly device: Device;
	readonly healthChecks: readonly HealthCheck[];
	/** True while no download and no restart may begin. Default: never. */
	readonly isBusy?: (() => boolean) | undefined;
	/** Default: none. */
	readonly observers?: readonly UpdateObserver[];
}
