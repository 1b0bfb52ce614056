// One line to the server: an HTTP client, the buffer its answers are collected in, and the questions that wait for it.
// Used by cloud, which has two that take turns. It must not know what is asked.

import { FotaError } from "../protocol/error-codes.js";
import type { Outcome, Timer } from "../update/ports.js";
import { AnswerBody } from "./answer-body.js";
import { toFotaError } from "./cause.js";
import type { DeviceCredential } from "./device-credential.js";
import { type Answer, Exchange, type Question } from "./exchange.js";
import type { HttpClient } from "./http-client.js";
import type { RequestTurns } from "./request-turns.js";

export interface ServerLineOptions {
	/** Makes a client; called at once, and again after disconnect(). */
	readonly openHttp: () => HttpClient;
	readonly credential: DeviceCredential;
	readonly timer: Timer;
	/** Shared by all lines of a device. */
	readonly turns: RequestTurns;
	/** Longest body that is collected. */
	readonly answerMaxBytes: number;
	/** Questions that may wait while one is under way; each adds its time-out to the wait of the next. */
	readonly waitingMax: number;
}

export class ServerLine {
	readonly #options: ServerLineOptions;
	readonly #body: AnswerBody;
	#http: HttpClient | undefined;
	#current: Question | undefined;
	/** The current question's turn has come. */
	#isBegun = false;
	#waiting: Question[] = [];

	constructor(options: ServerLineOptions) {
		this.#options = options;
		this.#body = new AnswerBody(options.answerMaxBytes);
		this.#http = options.openHttp();
	}

	/** In the order they came. One too many fails with `network-unavailable`. Does not throw. */
	ask(question: Question): void {
		if (this.#current === undefined) this.#start(question);
		else if (this.#waiting.length < this.#options.waitingMax) this.#waiting.push(question);
		else this.#failLater(question, new FotaError("network-unavailable", "too many requests at once"));
	}

	/** Ends what is under way and what waits with `network-unavailable`, and the connection. */
	disconnect(): void {
		const current = this.#current;
		this.#http?.close();
		this.#http = undefined;
		this.#current = undefined;
		const error = new FotaError("network-unavailable", "disconnected");
		// Here too, however its request ends: a turn that is kept would silence both lines for good.
		if (current !== undefined) this.#options.turns.end(current);
		// One that still waited for its turn is not known to the client, which tells of all others.
		if (current !== undefined && !this.#isBegun) this.#failLater(current, error);
		for (const question of this.#waiting.splice(0)) this.#failLater(question, error);
	}

	#start(question: Question): void {
		this.#current = question;
		this.#isBegun = false;
		this.#options.turns.take(question, () => this.#begin(question));
	}

	#begin(question: Question): void {
		const { credential, openHttp, turns } = this.#options;
		const onDone = (outcome: Outcome<Answer>) => this.#end(question, outcome);
		this.#isBegun = true;
		try {
			this.#http ??= openHttp();
			const onTurnOver = () => turns.end(question);
			const options = { http: this.#http, credential, body: this.#body, onTurnOver };
			new Exchange({ ...options, question: { ...question, onDone } }).start();
		} catch (cause) {
			const error = toFotaError(cause, { code: "network-unavailable", doing: "request" });
			this.#options.timer.set(() => this.#end(question, { error }), 0);
		}
	}

	/** What disconnect() ended no longer holds the line, but is told all the same. */
	#end(question: Question, outcome: Outcome<Answer>): void {
		this.#options.turns.end(question);
		try {
			question.onDone(outcome);
		} finally {
			if (this.#current === question) {
				this.#current = undefined;
				const next = this.#waiting.shift();
				if (next !== undefined) this.#start(next);
			}
		}
	}

	#failLater(question: Question, error: FotaError): void {
		this.#options.turns.end(question);
		this.#options.timer.set(() => question.onDone({ error }), 0);
	}
}
