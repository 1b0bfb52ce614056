// Cloud over two lines to the server: one for manifest and chunks, one for reports and orders, so that a report passes
// while chunks stream. Their requests are signed one after the other. Built by main. It must not know when to ask, nor
// what follows from an answer.

import { CHUNK_PATH, CHUNKS_MEDIA_TYPE } from "../protocol/chunk-frames.js";
import { utf8Encode } from "../protocol/encoding.js";
import { FotaError } from "../protocol/error-codes.js";
import { ANSWER_MAX_BYTES, MANIFEST_MAX_BYTES } from "../protocol/limits.js";
import { MANIFEST_PATH, type Manifest, parseManifest } from "../protocol/manifest.js";
import { parseRollbackStatus, ROLLBACK_STATUS_PATH, type RollbackOrder } from "../protocol/rollback-order.js";
import {
	encodeStatusReport,
	parseStatusAnswer,
	STATUS_PATH,
	type StatusAnswer,
	type StatusReport,
} from "../protocol/status-report.js";
import type { ChunkRequest, Cloud, ManifestQuery, Outcome, Timer } from "../update/ports.js";
import { toFotaError } from "./cause.js";
import type { DeviceCredential } from "./device-credential.js";
import type { Answer } from "./exchange.js";
import type { HttpClient } from "./http-client.js";
import { RequestTurns } from "./request-turns.js";
import { ServerLine } from "./server-line.js";

const JSON_MEDIA_TYPE = "application/json";
const TALK_TIMEOUT_MS = 60_000;
/** A stream may be slow but not silent: 1 KB/s, that is a millisecond a byte, on top of what any talk may take. */
const STREAM_MS_A_BYTE = 1;

/** From inside its own `done` a manifest may be followed by chunks: the line is free only when that returns. */
const TALK_WAITING_MAX = 1;
/** A report and the poll for an order may meet. */
const REPORTS_WAITING_MAX = 2;

export interface HttpCloudOptions {
	/** For manifest and chunks. Makes a client that keeps ANSWER_HEADER_NAMES; again after disconnect(). */
	readonly openTalk: () => HttpClient;
	/** For reports and orders; likewise. */
	readonly openReports: () => HttpClient;
	readonly credential: DeviceCredential;
	readonly timer: Timer;
	readonly deviceType: string;
	readonly chip: string;
}

export class HttpCloud implements Cloud {
	readonly #options: HttpCloudOptions;
	readonly #talk: ServerLine;
	readonly #reports: ServerLine;

	constructor(options: HttpCloudOptions) {
		const { credential, timer } = options;
		const turns = new RequestTurns(timer);
		this.#options = options;
		this.#talk = new ServerLine({
			openHttp: options.openTalk,
			credential,
			timer,
			turns,
			answerMaxBytes: MANIFEST_MAX_BYTES,
			waitingMax: TALK_WAITING_MAX,
		});
		this.#reports = new ServerLine({
			openHttp: options.openReports,
			credential,
			timer,
			turns,
			answerMaxBytes: ANSWER_MAX_BYTES,
			waitingMax: REPORTS_WAITING_MAX,
		});
	}

	manifest(query: ManifestQuery, done: (outcome: Outcome<Manifest | undefined>) => void): void {
		const { deviceType, chip } = this.#options;
		const version = encodeURIComponent(query.version);
		this.#talk.ask({
			method: "GET",
			target: `${MANIFEST_PATH}?device_type=${deviceType}&chip=${chip}&version=${version}&chunk_size=${query.chunkBytes}`,
			mediaType: JSON_MEDIA_TYPE,
			totalTimeoutMs: TALK_TIMEOUT_MS,
			onDone: (outcome) =>
				done(parsed(outcome, (answer) => (answer.status === 204 ? undefined : parseManifest(answer.body)))),
		});
	}

	fetchChunks(request: ChunkRequest): void {
		const { first, count, chunkBytes, hash, bodyBytes, wantedBytes, onData, onDone } = request;
		const held = request.isFirstHeld ? "&held=1" : "";
		this.#talk.ask({
			method: "GET",
			target: `${CHUNK_PATH}?chunk_number=${first}&count=${count}&chunk_size=${chunkBytes}&hash=${hash}${held}`,
			mediaType: CHUNKS_MEDIA_TYPE,
			totalTimeoutMs: TALK_TIMEOUT_MS + bodyBytes * STREAM_MS_A_BYTE,
			stream: { bodyBytes, wantedBytes, onData },
			onDone: (outcome) => onDone(outcome.error),
		});
	}

	report(report: StatusReport, done: (outcome: Outcome<StatusAnswer>) => void): void {
		this.#reports.ask({
			method: "POST",
			target: STATUS_PATH,
			body: utf8Encode(encodeStatusReport(report)),
			mediaType: JSON_MEDIA_TYPE,
			totalTimeoutMs: TALK_TIMEOUT_MS,
			onDone: (outcome) => done(parsed(outcome, (answer) => parseStatusAnswer(bodyOf(answer)))),
		});
	}

	rollbackOrder(done: (outcome: Outcome<RollbackOrder | undefined>) => void): void {
		this.#reports.ask({
			method: "GET",
			target: ROLLBACK_STATUS_PATH,
			mediaType: JSON_MEDIA_TYPE,
			totalTimeoutMs: TALK_TIMEOUT_MS,
			onDone: (outcome) => done(parsed(outcome, (answer) => parseRollbackStatus(bodyOf(answer)))),
		});
	}

	disconnect(): void {
		this.#talk.disconnect();
		this.#reports.disconnect();
	}
}

function parsed<T>(outcome: Outcome<Answer>, parse: (answer: Answer) => T): Outcome<T> {
	if (outcome.error !== undefined) return { error: outcome.error };
	try {
		return { value: parse(outcome.value) };
	} catch (cause) {
		return { error: toFotaError(cause, { code: "answer-malformed", doing: "answer" }) };
	}
}

/** Only "no release" may be answered without a body. */
function bodyOf(answer: Answer): Uint8Array {
	if (answer.status !== 200) throw new FotaError("http-status", `status ${answer.status}`);
	return answer.body;
}
