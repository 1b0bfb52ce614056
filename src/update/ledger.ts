// The persistent state while the firmware runs: read once, kept in RAM, written as a whole. Used by the runner and by
// the download. It must not know why something is written.
import { FotaError } from "../protocol/error-codes.js";
import { encodeState, type PersistentState, parseState } from "./persistent-state.js";
import type { Log, StateStore } from "./ports.js";

export class Ledger {
	readonly #store: StateStore;
	readonly #log: Log;
	#state: PersistentState;
	/** What the store holds; nothing is the same as a fresh state. */
	#written: string;

	/** Reads the store; unreadable storage is an empty one. */
	constructor(store: StateStore, log: Log) {
		this.#store = store;
		this.#log = log;
		const text = readText(store, log);
		this.#state = parseState(text);
		this.#written = text ?? encodeState(this.#state);
	}

	get state(): PersistentState {
		return this.#state;
	}

	/** Writes first, then takes over. Throws `storage-failed`, and then nothing has changed here or in the store. */
	commit(change: Partial<PersistentState>): void {
		const next = { ...this.#state, ...change };
		const text = encodeState(next);
		if (text !== this.#written) {
			this.#write(text);
			this.#written = text;
		}
		this.#state = next;
	}

	/**
	 * For what has happened already and is true whether it can be written or not: takes over, then tries to write. A
	 * failure is logged; the next commit writes it along. False when it is not in the store.
	 */
	note(change: Partial<PersistentState>): boolean {
		try {
			this.commit(change);
			return true;
		} catch (cause) {
			this.#state = { ...this.#state, ...change };
			this.#log.write("error", `storage-failed: ${messageOf(cause)}`);
			return false;
		}
	}

	#write(text: string): void {
		try {
			this.#store.write(text);
		} catch (cause) {
			throw cause instanceof FotaError ? cause : new FotaError("storage-failed", messageOf(cause), { cause });
		}
	}
}

function readText(store: StateStore, log: Log): string | undefined {
	try {
		return store.read();
	} catch (cause) {
		log.write("error", `storage-failed: ${messageOf(cause)}`);
		return undefined;
	}
}

function messageOf(cause: unknown): string {
	return cause instanceof Error ? cause.message : String(cause);
}
