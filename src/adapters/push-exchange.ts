// What is asked at the push port and what is answered: GET /info, POST /update and POST /confirm (docs/protocol.md §16).
// Used by push-server. It must not know sockets; whether a release is taken is the updater's to say.

import type { Refusal } from "../http/refusal.js";
import { type ErrorCode, FotaError } from "../protocol/error-codes.js";
import { encodeProblem, PROBLEM_MEDIA_TYPE } from "../protocol/problem.js";
import {
	CONFIRM_PATH,
	encodeConfirmResult,
	encodeDeviceInformation,
	encodePushResult,
	INFO_PATH,
	PUSH_AUTH_SCHEME,
	PUSH_RESTART_SECONDS,
	parsePushAuthorization,
	RELEASE_HEADER,
	UPDATE_PATH,
} from "../protocol/push.js";
import type { Clock, Log, PushSink, PushTarget } from "../update/ports.js";
import { describeCause, toFotaError } from "./cause.js";
import type { InformationSource } from "./device-information.js";
import type { Answer, PushConnection } from "./push-connection.js";
import type { PushCredential } from "./push-credential.js";
import type { PushPenalty } from "./push-penalty.js";

const JSON_MEDIA_TYPE = "application/json";
const METHODS: Readonly<Record<string, string | undefined>> = {
	[INFO_PATH]: "GET",
	[UPDATE_PATH]: "POST",
	[CONFIRM_PATH]: "POST",
};

export interface PushExchangeOptions {
	readonly target: PushTarget;
	readonly credential: PushCredential;
	readonly penalty: PushPenalty;
	readonly information: Pick<InformationSource, "read">;
	readonly clock: Clock;
	readonly log: Log;
}

/** What an accepted request is about; all of it was checked for form. */
interface SignedRequest {
	readonly authorization: string;
	readonly release: string;
	readonly sizeBytes: number;
}

export class PushExchange {
	readonly #options: PushExchangeOptions;

	constructor(options: PushExchangeOptions) {
		this.#options = options;
	}

	/** Never throws. */
	serve(connection: PushConnection, refusal: Refusal | undefined): void {
		try {
			if (refusal === undefined) this.#route(connection);
			else refuse(connection, new FotaError("request-malformed", refusal), refusalStatus(refusal));
		} catch (cause) {
			const error = toFotaError(cause, { code: "device-failed", doing: "push request" });
			this.#options.log.write("error", `push: ${describeCause(error)}`);
			refuse(connection, error);
		}
	}

	#route(connection: PushConnection): void {
		const { method, target } = connection;
		const wanted = METHODS[target];
		if (wanted === undefined) {
			const here = `GET ${INFO_PATH}, POST ${UPDATE_PATH} and POST ${CONFIRM_PATH} are here`;
			refuse(connection, new FotaError("not-found", here));
		} else if (method !== wanted) {
			const error = new FotaError("request-malformed", `${target} is asked with ${wanted}`);
			refuse(connection, error, 405, [{ name: "Allow", value: wanted }]);
		} else if (connection.hasOddExpectation) {
			refuse(connection, new FotaError("request-malformed", "Expect is none but 100-continue"), 417);
		} else if (target === INFO_PATH) this.#inform(connection);
		else this.#readSigned(connection);
	}

	#inform(connection: PushConnection): void {
		const { target, credential, information } = this.#options;
		const info = information.read(target.report(), credential.newChallenge());
		connection.answer({ status: 200, mediaType: JSON_MEDIA_TYPE, body: encodeDeviceInformation(info) });
	}

	#readSigned(connection: PushConnection): void {
		const authorization = connection.header("authorization");
		const release = connection.header(RELEASE_HEADER);
		const sizeBytes = connection.contentLengthBytes;
		if (authorization === undefined) {
			const message = `no ${PUSH_AUTH_SCHEME} credential: ask ${INFO_PATH} for a challenge`;
			refuse(connection, new FotaError("auth-missing", message));
		} else if (sizeBytes === undefined) {
			refuse(connection, new FotaError("request-malformed", "Content-Length is missing"), 411);
		} else if (release === undefined) {
			refuse(connection, new FotaError("request-malformed", "FOTA-Release is missing or too long"));
		} else if (connection.target === CONFIRM_PATH && sizeBytes > 0) {
			refuse(connection, new FotaError("request-malformed", `${CONFIRM_PATH} has no body`));
		} else this.#authenticate(connection, { authorization, release, sizeBytes });
	}

	/** Before anything else is looked at: a statement costs 80 ms to verify (threat: a device kept busy). */
	#authenticate(connection: PushConnection, request: SignedRequest): void {
		const { credential, penalty } = this.#options;
		const { method, target } = connection;
		const { release, sizeBytes } = request;
		const authorization = parsePushAuthorization(request.authorization);
		const verdict =
			authorization === undefined
				? "wrong"
				: credential.judge({ method, target, release, contentLengthBytes: sizeBytes }, authorization);
		if (verdict === "right") {
			penalty.succeeded();
			if (target === CONFIRM_PATH) this.#confirm(connection, request);
			else this.#begin(connection, request);
		} else this.#punish(connection, verdict);
	}

	#punish(connection: PushConnection, verdict: "wrong" | "stale"): void {
		const { penalty, clock, target } = this.#options;
		const { delayMs, toldCount } = penalty.failed(clock.nowMs());
		const error =
			verdict === "wrong"
				? new FotaError("auth-failed", "push with a wrong credential")
				: new FotaError("challenge-stale", "push with a challenge that was used or is too old");
		if (toldCount !== undefined) {
			const message = toldCount === 1 ? error.message : `${error.message} (${toldCount} attempts)`;
			target.notePush(new FotaError(error.code, message));
		}
		// An owner who was too slow need not wait; whoever guesses keeps no place from others meanwhile.
		if (verdict === "stale") refuse(connection, error);
		else connection.answerLater(problem(error), delayMs);
	}

	#confirm(connection: PushConnection, { release }: SignedRequest): void {
		try {
			const result = this.#options.target.confirmPush(release) ? "confirmed" : "noted";
			connection.answer({ status: 200, mediaType: JSON_MEDIA_TYPE, body: encodeConfirmResult(result) });
		} catch (cause) {
			refuse(connection, toFotaError(cause, { code: "device-failed", doing: "confirmation" }));
		}
	}

	#begin(connection: PushConnection, request: SignedRequest): void {
		let sink: PushSink | undefined;
		const onBody = (buffer: Uint8Array, offset: number, byteCount: number) =>
			sink?.take(buffer, offset, byteCount) ?? false;
		const onLost = (reason: string) => sink?.abort(new FotaError("push-aborted", reason));
		try {
			sink = this.#options.target.offerPush(request, {
				onReady: () => connection.receive(),
				onEnd: (error) => this.#end(connection, request, error),
			});
		} catch (cause) {
			refuse(connection, toFotaError(cause, { code: "device-failed", doing: "push" }));
			return;
		}
		connection.giveTo({ onBody, onLost });
	}

	#end(connection: PushConnection, request: SignedRequest, error: FotaError | undefined): void {
		if (error !== undefined) {
			refuse(connection, error);
			return;
		}
		const { target } = this.#options.target.report();
		const result = {
			version: target?.version ?? "",
			hash: target?.hash ?? "",
			restartSeconds: PUSH_RESTART_SECONDS,
		};
		this.#options.log.write("info", `push of ${request.sizeBytes} bytes taken`);
		connection.answer({ status: 200, mediaType: JSON_MEDIA_TYPE, body: encodePushResult(result) });
	}
}

type Headers = readonly { readonly name: string; readonly value: string }[];

function refuse(connection: PushConnection, error: FotaError, status?: number, headers: Headers = []): void {
	connection.answer(problem(error, status, headers));
}

function problem(error: FotaError, status = statusOf(error.code), headers: Headers = []): Answer {
	const { code, message } = error;
	const challenge = { name: "WWW-Authenticate", value: PUSH_AUTH_SCHEME };
	return {
		status,
		mediaType: PROBLEM_MEDIA_TYPE,
		headers: status === 401 ? [...headers, challenge] : headers,
		body: encodeProblem({ status, code, detail: message }),
	};
}

function refusalStatus(refusal: Refusal): number {
	switch (refusal) {
		case "header-line-too-long":
		case "header-value-too-long":
		case "too-many-headers":
		case "head-too-long":
			return 431;
		default:
			return 400;
	}
}

function statusOf(code: ErrorCode): number {
	switch (code) {
		case "request-malformed":
			return 400;
		case "auth-missing":
		case "auth-failed":
		case "challenge-stale":
			return 401;
		case "not-found":
			return 404;
		case "push-aborted":
			return 408;
		case "device-busy":
			return 409;
		case "flash-failed":
		case "storage-failed":
		case "activate-failed":
		case "device-failed":
			return 500;
		default:
			return 422;
	}
}
