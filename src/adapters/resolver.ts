// Names to addresses, over the native resolver. Built by composition/network, used by whoever connects to a name. It must
// not know what the address is for.
//
// The native resolver cannot be called off and takes few questions at once, so a name under way is asked once for all who
// want it, and no more than a few names wait. Nothing is kept: each connection asks anew.

import type { Log, Timer } from "../update/ports.js";
import { describeCause } from "./cause.js";
import { numericAddress } from "./server-address.js";

/** Names under way at the native resolver. */
const NAMES_MAX = 4;
/** Its own tries end after about 6 s; less than a connection may take. */
const RESOLVE_MAX_MS = 8000;

/** One question at a time for each name. May throw; `callback` comes once, later. */
export interface NetPort {
	resolve(name: string, callback: (name: string, address: string | undefined) => void): void;
}

export interface ResolverOptions {
	readonly net: NetPort;
	readonly timer: Timer;
	readonly log: Log;
	/** Without a network the native resolver is left alone: before the first one it is not even there. */
	readonly hasNetwork: () => boolean;
}

export type ResolveDone = (address: string | undefined) => void;

interface Question {
	isWanted: boolean;
	readonly done: ResolveDone;
	timer: unknown;
}

export class Resolver {
	readonly #options: ResolverOptions;
	/** By name under way; those who wait for it. */
	readonly #underWay = new Map<string, Set<Question>>();

	constructor(options: ResolverOptions) {
		this.#options = options;
	}

	/**
	 * The IPv4 address of `name`, or undefined when there is none or no answer in time; `done` is called once, later. Returns
	 * how to call it off: then `done` is not called any more.
	 */
	resolve(name: string, done: ResolveDone): () => void {
		const { timer } = this.#options;
		const question: Question = { isWanted: true, done, timer: undefined };
		const isAsked = this.#options.hasNetwork() && this.#ask(name, question);
		question.timer = timer.set(
			() => {
				if (isAsked) this.#note(name, "no answer");
				this.#underWay.get(name)?.delete(question);
				this.#answer(question, undefined);
			},
			isAsked ? RESOLVE_MAX_MS : 0,
		);
		return () => {
			question.isWanted = false;
			timer.clear(question.timer);
			this.#underWay.get(name)?.delete(question);
		};
	}

	/** False when it cannot be asked now. */
	#ask(name: string, question: Question): boolean {
		const waiting = this.#underWay.get(name);
		if (waiting !== undefined) {
			waiting.add(question);
			return true;
		}
		if (this.#underWay.size >= NAMES_MAX) return false;
		this.#underWay.set(name, new Set([question]));
		try {
			this.#options.net.resolve(name, (_name, address) => this.#resolved(name, address));
			return true;
		} catch (cause) {
			this.#underWay.delete(name);
			this.#note(name, describeCause(cause));
			return false;
		}
	}

	/** Called from a timer, in the native code behind which a throw would restart the chip. */
	#resolved(name: string, address: string | undefined): void {
		try {
			const waiting = this.#underWay.get(name) ?? [];
			this.#underWay.delete(name);
			const usable = address === undefined ? undefined : numericAddress(address);
			if (usable === undefined) this.#note(name, "no such name");
			for (const question of waiting) this.#answer(question, usable);
		} catch (cause) {
			this.#note(name, describeCause(cause));
		}
	}

	#answer(question: Question, address: string | undefined): void {
		if (!question.isWanted) return;
		question.isWanted = false;
		this.#options.timer.clear(question.timer);
		try {
			question.done(address);
		} catch (cause) {
			this.#options.log.write("error", `after resolving: ${describeCause(cause)}`);
		}
	}

	#note(name: string, what: string): void {
		this.#options.log.write("warn", `resolving ${name}: ${what}`);
	}
}
