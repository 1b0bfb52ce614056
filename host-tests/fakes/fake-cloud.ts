// A scripted server, and the Cloud port of one start of a device that talks to it. The server outlives the starts.
import { encodeChunkFrame, FRAME_HEAD_BYTES } from "../../src/protocol/chunk-frames.js";
import { utf8Encode } from "../../src/protocol/encoding.js";
import { type ErrorCode, FotaError } from "../../src/protocol/error-codes.js";
import { MAC_BYTES } from "../../src/protocol/limits.js";
import type { Manifest } from "../../src/protocol/manifest.js";
import type { RollbackOrder } from "../../src/protocol/rollback-order.js";
import {
	encodeStatusReport,
	parseStatusReport,
	type StatusReport,
} from "../../src/protocol/status-report.js";
import type { ChunkRequest, Cloud, ManifestQuery, Outcome, Timer } from "../../src/update/ports.js";
import { chunkMac } from "./fake-crypto.js";
import { type FakeRelease, fakeManifest } from "./fake-image.js";

export type RequestKind = "manifest" | "chunks" | "report" | "order";

export class FakeServer {
	release: FakeRelease | undefined;
	order: RollbackOrder | undefined;
	/** Every request that reached the server. */
	readonly requests: RequestKind[] = [];
	/** Reports that were accepted. */
	readonly reports: StatusReport[] = [];
	/** Times each chunk was sent in full, by number. */
	readonly sentChunks = new Map<number, number>();
	/** First chunks of the requests that said that the device holds the first. */
	readonly heldChunks: number[] = [];
	/** What such an end says of when to come again. */
	retryAfterSeconds: (kind: RequestKind) => number | undefined = () => undefined;
	/** Sends what the device holds all the same, as a server does that does not know better. */
	ignoresHeld = false;
	/** What a request ends with instead of an answer. */
	fault: (kind: RequestKind) => ErrorCode | undefined = () => undefined;
	/** Changes a frame on its way; undefined ends the body there. */
	tamper: (chunk: number, frame: Uint8Array) => Uint8Array | undefined = (_chunk, frame) => frame;
	/** Changes the manifest on its way. */
	alterManifest: (manifest: Manifest) => Manifest = (manifest) => manifest;
	latencyMs = 20;
	/** Of the link; a piece of a body takes this long. */
	pieceMs = 1;
	pieceBytes = 1400;
}

/** One call, from its begin to its end. */
interface Talk<T> {
	readonly isOver: () => boolean;
	readonly finish: (outcome: Outcome<T>) => void;
}

export class FakeCloud implements Cloud {
	readonly #server: FakeServer;
	readonly #timer: Timer;
	/** Ends of what is under way; the caller is told later. */
	readonly #open = new Set<() => void>();
	/** Sockets are open: from the first call until disconnect(). */
	isConnected = false;

	constructor(server: FakeServer, timer: Timer) {
		this.#server = server;
		this.#timer = timer;
	}

	manifest(query: ManifestQuery, done: (outcome: Outcome<Manifest | undefined>) => void): void {
		this.#answer("manifest", done, () => {
			const { release, alterManifest } = this.#server;
			return release && alterManifest(fakeManifest(release.statement, query.chunkBytes));
		});
	}

	rollbackOrder(done: (outcome: Outcome<RollbackOrder | undefined>) => void): void {
		this.#answer("order", done, () => this.#server.order);
	}

	report(report: StatusReport, done: (outcome: Outcome<{ isRollbackPending: boolean }>) => void): void {
		// Through the bytes: what a server would refuse must not be sent.
		const parsed = parseStatusReport(utf8Encode(encodeStatusReport(report)));
		this.#answer("report", done, () => {
			this.#server.reports.push(parsed);
			return { isRollbackPending: this.#server.order !== undefined };
		});
	}

	fetchChunks(request: ChunkRequest): void {
		const outcome: (o: Outcome<undefined>) => void = (o) => request.onDone(o.error);
		const talk = this.#begin("chunks", outcome);
		const code = this.#server.fault("chunks");
		if (request.isFirstHeld) this.#server.heldChunks.push(request.first);
		this.#later(this.#server.latencyMs, () => {
			if (code) talk.finish({ error: this.#error(code, "chunks") });
			else this.#sendChunk(request, request.first, talk);
		});
	}

	disconnect(): void {
		this.isConnected = false;
		for (const end of [...this.#open]) end();
	}

	#sendChunk(request: ChunkRequest, chunk: number, talk: Talk<undefined>): void {
		const { finish } = talk;
		const { release, tamper, sentChunks } = this.#server;
		if (release === undefined || release.statement.hash !== request.hash) {
			finish({ error: new FotaError("release-unknown", "no such release") });
			return;
		}
		if (chunk >= request.first + request.count) {
			finish({ value: undefined });
			return;
		}
		const start = chunk * request.chunkBytes;
		const data = release.image.subarray(start, start + request.chunkBytes);
		const isHeld = request.isFirstHeld && chunk === request.first && !this.#server.ignoresHeld;
		const whole = encodeChunkFrame(data, chunkMac(request.hash, chunk, data));
		const frame = tamper(chunk, isHeld ? withoutData(whole) : whole);
		if (frame === undefined) {
			finish({ error: new FotaError("network-timeout", "scripted silence") });
			return;
		}
		this.#sendPiece({ request, frame, talk }, 0, (isTaken) => {
			if (!isTaken) {
				finish({ error: new FotaError("chunk-malformed", "ended by the device") });
				return;
			}
			if (!isHeld) sentChunks.set(chunk, (sentChunks.get(chunk) ?? 0) + 1);
			this.#sendChunk(request, chunk + 1, talk);
		});
	}

	#sendPiece(sending: Sending, at: number, next: (isTaken: boolean) => void): void {
		const { request, frame, talk } = sending;
		const { pieceBytes, pieceMs } = this.#server;
		if (talk.isOver()) return;
		const count = Math.min(pieceBytes, frame.length - at, Math.max(1, request.wantedBytes()));
		if (!request.onData(frame, at, count)) next(false);
		else if (at + count >= frame.length) next(true);
		else this.#later(pieceMs, () => this.#sendPiece(sending, at + count, next));
	}

	#answer<T>(kind: RequestKind, done: (outcome: Outcome<T>) => void, value: () => T): void {
		const { finish } = this.#begin(kind, done);
		this.#later(this.#server.latencyMs, () => {
			const code = this.#server.fault(kind);
			finish(code ? { error: this.#error(code, kind) } : { value: value() });
		});
	}

	#begin<T>(kind: RequestKind, done: (outcome: Outcome<T>) => void): Talk<T> {
		this.#server.requests.push(kind);
		this.isConnected = true;
		let isOver = false;
		const tell = (outcome: Outcome<T>, how: (work: () => void) => void) => {
			if (isOver) return;
			isOver = true;
			this.#open.delete(end);
			how(() => done(outcome));
		};
		const error = new FotaError("network-unavailable", "disconnected");
		const end = () => tell({ error }, (work) => this.#later(0, work));
		this.#open.add(end);
		return { isOver: () => isOver, finish: (outcome) => tell(outcome, (work) => work()) };
	}

	#error(code: ErrorCode, kind: RequestKind): FotaError {
		return new FotaError(code, "scripted", { retryAfterSeconds: this.#server.retryAfterSeconds(kind) });
	}

	#later(delayMs: number, work: () => void): void {
		this.#timer.set(work, delayMs);
	}
}

/** A frame on its way. */
interface Sending {
	readonly request: ChunkRequest;
	readonly frame: Uint8Array;
	readonly talk: Talk<undefined>;
}

/** The frame of a chunk that the device holds: length and MAC. */
function withoutData(frame: Uint8Array): Uint8Array {
	const mac = frame.subarray(frame.length - MAC_BYTES);
	const short = new Uint8Array(FRAME_HEAD_BYTES + MAC_BYTES);
	short.set(frame.subarray(0, FRAME_HEAD_BYTES));
	short.set(mac, FRAME_HEAD_BYTES);
	return short;
}
