// One attempt: POSTs a signed message to a webhook's target and says how it went. Called by delivery-worker.ts. It knows
// no database.
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AttemptOutcome } from "../domain/webhook.js";
import { ADDRESS_REFUSED, guardedLookup, type LookupAll, parseTarget } from "./target-guard.js";

export interface SendOptions {
	readonly isPrivateAllowed: boolean;
	/** For the whole attempt, in milliseconds. Default 10000. */
	readonly timeoutMs?: number | undefined;
	/** Default: the system's. */
	readonly resolve?: LookupAll | undefined;
}

export interface OutgoingMessage {
	readonly url: string;
	readonly id: string;
	readonly timestampSeconds: number;
	readonly signature: string;
	/** JSON. */
	readonly body: string;
}

const TIMEOUT_MS = 10_000;
/** More of an answer is not read, and none of it is kept: a webhook is no way to read other servers' pages. */
const ANSWER_MAX_BYTES = 1024;

/** Never throws. Redirects are not followed: they are answers other than 2xx. */
export async function sendWebhook(message: OutgoingMessage, options: SendOptions): Promise<AttemptOutcome> {
	const startMs = performance.now();
	const durationMs = () => Math.round(performance.now() - startMs);
	try {
		const responseStatus = await post(message, options);
		const isSuccess = responseStatus >= 200 && responseStatus < 300;
		const error = isSuccess ? undefined : `answered ${responseStatus}`;
		return { responseStatus, durationMs: durationMs(), error };
	} catch (error) {
		return { responseStatus: undefined, durationMs: durationMs(), error: reasonOf(error) };
	}
}

async function post(message: OutgoingMessage, options: SendOptions): Promise<number> {
	const url = parseTarget(message.url, options.isPrivateAllowed);
	const request = (url.protocol === "https:" ? httpsRequest : httpRequest)(url, {
		method: "POST",
		// One connection an attempt, to an address that was looked up and judged for it.
		agent: false,
		lookup: guardedLookup(options.isPrivateAllowed, options.resolve),
		signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
		maxHeaderSize: 8192,
		headers: {
			"content-type": "application/json",
			"content-length": Buffer.byteLength(message.body),
			"user-agent": "fota-server",
			"webhook-id": message.id,
			"webhook-timestamp": String(message.timestampSeconds),
			"webhook-signature": message.signature,
		},
	});
	try {
		return await answerOf(request, message.body);
	} finally {
		request.destroy();
	}
}

function answerOf(request: ClientRequest, body: string): Promise<number> {
	return new Promise((resolve, reject) => {
		// Also what comes late, after destroy().
		request.on("error", reject);
		request.once("response", (response: IncomingMessage) => {
			const done = () => resolve(response.statusCode ?? 0);
			let readBytes = 0;
			response.on("error", reject);
			response.on("data", (piece: Buffer) => {
				readBytes += piece.length;
				if (readBytes > ANSWER_MAX_BYTES) done();
			});
			response.once("end", done);
		});
		request.end(body);
	});
}

/** For the delivery log. The code alone where there is one: a message may have addresses in it. */
function reasonOf(error: unknown): string {
	const { code, name } = error as NodeJS.ErrnoException;
	if (code === ADDRESS_REFUSED) return "the name has no public address";
	if (name === "AbortError" || name === "TimeoutError") return "no answer in time";
	if (name === "FotaError") return (error as Error).message;
	return code ?? name;
}
