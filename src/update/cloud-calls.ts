// The cloud as the runner and the reporter use it: every call is over once, in bounded time, its callback guarded, and
// the connections are given back as soon as nobody needs them. It must not know what is asked or why.
import { FotaError } from "../protocol/error-codes.js";
import type { Manifest } from "../protocol/manifest.js";
import type { RollbackOrder } from "../protocol/rollback-order.js";
import type { StatusAnswer, StatusReport } from "../protocol/status-report.js";
import { toFotaError } from "./fault.js";
import type { ChunkRequest, Cloud, ManifestQuery, Outcome, Timer } from "./ports.js";

/** Runs work from a callback; whatever it throws ends there. */
export type Guard = (work: () => void) => void;

/** Longer than any wait of an adapter: it fires only when an adapter has lost a call. */
const CALL_LIMIT_MS = 300_000;

export class CloudCalls {
	readonly #cloud: Cloud;
	readonly #timer: Timer;
	readonly #guard: Guard;
	#pendingCount = 0;
	#isConnected = false;
	#isClosed = false;
	#dropCount = 0;

	constructor(options: { readonly cloud: Cloud; readonly timer: Timer; readonly guard: Guard }) {
		this.#cloud = options.cloud;
		this.#timer = options.timer;
		this.#guard = options.guard;
	}

	manifest(query: ManifestQuery, done: (outcome: Outcome<Manifest | undefined>) => void): void {
		this.#call<Manifest | undefined>((finish) => this.#cloud.manifest(query, finish), done);
	}

	rollbackOrder(done: (outcome: Outcome<RollbackOrder | undefined>) => void): void {
		this.#call<RollbackOrder | undefined>((finish) => this.#cloud.rollbackOrder(finish), done);
	}

	report(report: StatusReport, done: (outcome: Outcome<StatusAnswer>) => void): void {
		this.#call<StatusAnswer>((finish) => this.#cloud.report(report, finish), done);
	}

	/** `onData` must not throw. */
	fetchChunks(request: ChunkRequest): void {
		let byteCount = 0;
		this.#call<undefined>(
			(finish, isLive) =>
				this.#cloud.fetchChunks({
					...request,
					onData: (buffer, offset, count) => {
						byteCount += count;
						// Bytes of a request that was given up must not reach the flash.
						return isLive() && request.onData(buffer, offset, count);
					},
					onDone: (error) => finish(error ? { error } : { value: undefined }),
				}),
			(outcome) => request.onDone(outcome.error),
			() => byteCount,
		);
	}

	/** Gives the connections back unless a call is under way. */
	release(): void {
		if (this.#pendingCount === 0 && this.#isConnected) this.drop();
	}

	/** Ends what is under way, and nothing that comes afterwards counts. */
	close(): void {
		this.#isClosed = true;
		this.drop();
	}

	/** Ends what is under way. */
	drop(): void {
		this.#isConnected = false;
		this.#dropCount++;
		this.#cloud.disconnect();
	}

	#call<T>(
		start: (finish: (outcome: Outcome<T>) => void, isLive: () => boolean) => void,
		done: (outcome: Outcome<T>) => void,
		progress: () => number = () => 0,
	): void {
		let isOver = false;
		let seen = progress();
		let limit: unknown;
		const dropCount = this.#dropCount;
		const finish = (outcome: Outcome<T>) => {
			if (isOver) return;
			isOver = true;
			this.#timer.clear(limit);
			this.#inOwnTurn(() => {
				this.#pendingCount--;
				done(outcome);
			});
		};
		const expire = () => {
			if (isOver) return;
			if (progress() > seen) {
				seen = progress();
				limit = this.#timer.set(expire, CALL_LIMIT_MS);
				return;
			}
			finish({ error: new FotaError("network-timeout", "the call was never answered") });
			this.#guard(() => this.drop());
		};
		const begin = () => {
			if (isOver) return;
			if (dropCount !== this.#dropCount) finish({ error: new FotaError("network-unavailable", "dropped") });
			else start(finish, () => !isOver && !this.#isClosed);
		};
		limit = this.#timer.set(expire, CALL_LIMIT_MS);
		this.#pendingCount++;
		this.#isConnected = true;
		this.#inOwnTurn(() => {
			try {
				begin();
			} catch (cause) {
				finish({ error: toFotaError(cause, "network-unavailable") });
			}
		});
	}

	/**
	 * The stack of the XS machine is small (docs/design.md, Memory): neither what asks nor what follows from an answer may
	 * stand on top of the step or the socket callback that led to it.
	 */
	#inOwnTurn(work: () => void): void {
		this.#timer.set(() => this.#guard(work), 0);
	}
}
