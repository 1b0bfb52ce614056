// One line to the server: an HTTP client, the buffer its answers are collected in, and the questions that wait for it.
// Used by cloud, which has two. It must not know what is asked.

import { FotaError } from "../protocol/error-codes.js";
import type { Outcome, Timer } from "../update/ports.js";
import { AnswerBody } from "./answer-body.js";
import { toFotaError } from "./cause.js";
import type { DeviceCredential } from "./device-credential.js";
import { type Answer, Exchange, type Question } from "./exchange.js";
import type { HttpClient } from "./http-client.js";

export interface ServerLineOptions {
	/** Makes a client; called at once, and again after disconnect(). */
	readonly openHttp: () => HttpClient;
	readonly credential: DeviceCredential;
	readonly timer: Timer;
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
		this.#http?.close();
		this.#http = undefined;
		this.#current = undefined;
		const error = new FotaError("network-unavailable", "disconnected");
		for (const question of this.#waiting.splice(0)) this.#failLater(question, error);
	}

	#start(question: Question): void {
		const { credential, openHttp } = this.#options;
		const onDone = (outcome: Outcome<Answer>) => this.#end(question, outcome);
		this.#current = question;
		try {
			this.#http ??= openHttp();
			const options = { http: this.#http, credential, body: this.#body };
			new Exchange({ ...options, question: { ...question, onDone } }).start();
		} catch (cause) {
			const error = toFotaError(cause, { code: "network-unavailable", doing: "request" });
			this.#options.timer.set(() => this.#end(question, { error }), 0);
		}
	}

	/** What disconnect() ended no longer holds the line, but is told all the same. */
	#end(question: Question, outcome: Outcome<Answer>): void {
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
		this.#options.timer.set(() => question.onDone({ error }), 0);
	}
}
