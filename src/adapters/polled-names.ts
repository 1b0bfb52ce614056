// Asks the native resolver for names, and looks for its answers until all are there. Built by composition/network, used by
// resolver. It must not know who waits for a name.

import type { FotaNames } from "../native/fota-names.js";
import type { NetPort } from "./resolver.js";
import type { RepeatingTimerPort } from "./timer-slot.js";

/** Between two looks while a name is asked for: an answer may come so much later. */
export const NAMES_POLL_MS = 20;

interface Question {
	readonly handle: number;
	readonly name: string;
	readonly callback: (name: string, address: string | undefined) => void;
}

export class PolledNames implements NetPort {
	readonly #names: Pick<FotaNames, "ask" | "answer">;
	readonly #timer: RepeatingTimerPort;
	#questions: readonly Question[] = [];
	#pollTimer: unknown;

	constructor(names: Pick<FotaNames, "ask" | "answer">, timer: RepeatingTimerPort) {
		this.#names = names;
		this.#timer = timer;
	}

	/** Throws if it cannot be asked now; then nothing is called. `callback` is called once, later, and must not throw. */
	resolve(name: string, callback: (name: string, address: string | undefined) => void): void {
		this.#pollTimer ??= this.#timer.repeat(() => this.#poll(), NAMES_POLL_MS);
		const handle = this.#names.ask(name);
		if (handle <= 0) throw new Error("cannot ask now");
		this.#questions = [...this.#questions, { handle, name, callback }];
	}

	#poll(): void {
		// Those that a callback asks are looked at next time.
		const questions = this.#questions;
		for (let at = 0; at < questions.length; at += 1) {
			const question = questions[at] as Question;
			const address = this.#names.answer(question.handle);
			if (address === undefined) continue;
			this.#questions = this.#questions.filter((other) => other !== question);
			question.callback(question.name, address === "" ? undefined : address);
		}
		if (this.#questions.length > 0) return;
		this.#timer.clear(this.#pollTimer);
		this.#pollTimer = undefined;
	}
}
