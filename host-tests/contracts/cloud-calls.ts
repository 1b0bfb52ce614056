// Calls to a Cloud under contract, and what came of them: how often, when, and which bytes. Used by cloud.ts. It must not
// know what is right, but for what holds of every call: told once, later, and nothing after the end.
import { MAC_BYTES } from "../../src/protocol/limits.js";
import type { Chip } from "../../src/protocol/release-statement.js";
import type { StatusReport } from "../../src/protocol/status-report.js";
import type { Cloud, Outcome } from "../../src/update/ports.js";
import { expectEqual } from "./contract.js";

export interface CloudSubject {
	readonly cloud: Cloud;
	/** Lets time pass, by other means than the cloud. */
	readonly sleep: (durationMs: number) => Promise<void>;
	readonly server: CloudServer;
	/** What the server offers when it offers something. */
	readonly release: CloudRelease;
}

/** The other side. It is there at first, offers nothing and has no order. What is asked of it is done with its promise. */
export interface CloudServer {
	readonly offer: () => Promise<void>;
	/** Orders a rollback; resolves to the order's number. */
	readonly order: (reason: string) => Promise<number>;
	/** Reset reason of the last report it accepted; null when there is none. */
	readonly lastResetReason: () => Promise<string | null>;
	/** It is gone, with the connections it has; once it has sent that many bytes more, about, if that is not 0. */
	readonly goAway: (afterBytes: number) => Promise<void>;
	readonly comeBack: () => Promise<void>;
}

/** Newer than 1.0.0, for the device below, of CONTRACT_IMAGE_BYTES. */
export interface CloudRelease {
	readonly version: string;
	/** In hex. */
	readonly hash: string;
	readonly image: Uint8Array;
	/** Compact JWS. */
	readonly statement: string;
	/** Of the chunk with that number, of CONTRACT_CHUNK_BYTES or what is left; as the server would make it. */
	readonly mac: (chunkNumber: number) => Uint8Array;
}

export const CONTRACT_DEVICE: { readonly deviceType: string; readonly chip: Chip } = {
	deviceType: "inverter",
	chip: "esp32",
};
export const CONTRACT_CHUNK_BYTES = 1024;
/** 19 chunks, and a short one. Streaming all of them must take far longer than an answer. */
export const CONTRACT_IMAGE_BYTES = 20_000;
export const CONTRACT_CHUNK_COUNT = 20;

const STEP_MS = 5;
/** Within which everything is told. */
const PATIENCE_MS = 20_000;
/** In which nothing more may be told. */
const QUIET_MS = 500;

export async function until({ sleep }: CloudSubject, isTrue: () => boolean): Promise<void> {
	for (let waitedMs = 0; !isTrue(); waitedMs += STEP_MS) {
		if (waitedMs > PATIENCE_MS) throw new Error("nothing comes");
		await sleep(STEP_MS);
	}
}

/** One call with a `done`. */
export class Call<T> {
	readonly outcomes: Outcome<T>[] = [];

	constructor(begin: (done: (outcome: Outcome<T>) => void) => void) {
		begin((outcome) => void this.outcomes.push(outcome));
		expectEqual(["told from inside the call", this.outcomes.length], ["told from inside the call", 0]);
	}

	/** Its value, or the code of its error. */
	async result(subject: CloudSubject): Promise<T | string> {
		await until(subject, () => this.outcomes.length > 0);
		await subject.sleep(QUIET_MS);
		return this.only;
	}

	get only(): T | string {
		expectEqual(["times told", this.outcomes.length], ["times told", 1]);
		const [outcome] = this.outcomes;
		return outcome?.error === undefined ? (outcome?.value as T) : outcome.error.code;
	}
}

export function reportOf(resetReason: string): StatusReport {
	const running = { version: "1.0.0", slot: "ota_0", resetReason, uptimeSeconds: 3 };
	return { state: "IDLE", bootStatus: "normal", ...CONTRACT_DEVICE, ...running };
}

// Questions of that device, with what is told.
export const askManifest = (cloud: Cloud) =>
	new Call((done: Parameters<Cloud["manifest"]>[1]) =>
		cloud.manifest({ version: "1.0.0", chunkBytes: CONTRACT_CHUNK_BYTES }, done),
	);
export const askOrder = (cloud: Cloud) =>
	new Call((done: Parameters<Cloud["rollbackOrder"]>[0]) => cloud.rollbackOrder(done));
export const sendReport = (cloud: Cloud, resetReason = "sw") =>
	new Call((done: Parameters<Cloud["report"]>[1]) => cloud.report(reportOf(resetReason), done));

export interface Chunks {
	readonly first: number;
	readonly count: number;
	readonly isFirstHeld?: boolean;
	/** What onData returns when that many bytes have come, the last piece included. Default: true. */
	readonly goesOn?: (takenBytes: number) => boolean;
	/** Default: no bound. */
	readonly wantedBytes?: (takenBytes: number) => number;
}

/** One call of fetchChunks. */
export class Fetch {
	readonly bytes: number[] = [];
	readonly ends: string[] = [];
	/** Pieces that came after the end, or after onData had refused one. */
	lateCount = 0;
	/** Bytes that came beyond what was wanted. */
	unwantedBytes = 0;
	#hasRefused = false;

	constructor({ cloud, release }: CloudSubject, chunks: Chunks) {
		const { first, count, isFirstHeld = false, wantedBytes = () => CONTRACT_IMAGE_BYTES } = chunks;
		cloud.fetchChunks({
			hash: release.hash,
			chunkBytes: CONTRACT_CHUNK_BYTES,
			first,
			count,
			isFirstHeld,
			bodyBytes: framesOf(release, chunks).length,
			wantedBytes: () => wantedBytes(this.bytes.length),
			onData: (buffer, offset, byteCount) => {
				this.unwantedBytes += Math.max(0, byteCount - wantedBytes(this.bytes.length));
				return this.#take(buffer.subarray(offset, offset + byteCount), chunks);
			},
			onDone: (error) => void this.ends.push(error === undefined ? "complete" : error.code),
		});
		expectEqual(["ended from inside the call", this.ends.length], ["ended from inside the call", 0]);
	}

	#take(piece: Uint8Array, { goesOn = () => true }: Chunks): boolean {
		if (this.#hasRefused || this.ends.length > 0) this.lateCount += 1;
		for (const byte of piece) this.bytes.push(byte);
		this.#hasRefused = !goesOn(this.bytes.length);
		return !this.#hasRefused;
	}

	/** "complete" or the code of its error. */
	async result(subject: CloudSubject): Promise<string | undefined> {
		await until(subject, () => this.ends.length > 0);
		await subject.sleep(QUIET_MS);
		return this.only;
	}

	get only(): string | undefined {
		expectEqual(["times ended", this.ends.length], ["times ended", 1]);
		expectEqual(["pieces after the end", this.lateCount], ["pieces after the end", 0]);
		return this.ends[0];
	}
}

/** The body of an answer with these chunks, written anew from docs/protocol.md §6. */
export function framesOf({ image, mac }: CloudRelease, chunks: Chunks): number[] {
	const bytes: number[] = [];
	for (let number = chunks.first; number < chunks.first + chunks.count; number++) {
		const start = number * CONTRACT_CHUNK_BYTES;
		const data = image.subarray(start, start + CONTRACT_CHUNK_BYTES);
		bytes.push(0, 0, data.length >> 8, data.length & 0xff);
		if (!(chunks.isFirstHeld && number === chunks.first)) for (const byte of data) bytes.push(byte);
		const tag = mac(number);
		expectEqual(tag.length, MAC_BYTES);
		for (const byte of tag) bytes.push(byte);
	}
	return bytes;
}

/** "the same", or where they differ first. */
export function compareBytes(seen: readonly number[], wanted: readonly number[]): string {
	for (let i = 0; i < Math.min(seen.length, wanted.length); i++)
		if (seen[i] !== wanted[i]) return `another byte at ${i}`;
	return seen.length === wanted.length ? "the same" : `${seen.length} bytes instead of ${wanted.length}`;
}
