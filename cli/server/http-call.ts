// One HTTP request to the server, streamed, with a progress call, a time limit on silence, and errors a person can act
// on. Called by server-client.ts. It must not know what is asked.
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { FotaError } from "../../src/protocol/error-codes.js";
import { type Problem, parseProblem } from "../../src/protocol/problem.js";
import { CliError, EXIT_CODES } from "../cli-error.js";
import { noAnswer } from "./no-answer.js";

/** Longest answer that is read, in bytes. */
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;
/** Longest silence of the server in milliseconds: it hashes and checks an upload before it answers. */
const SILENCE_MAX_MS = 60_000;
const PIECE_BYTES = 16 * 1024;

export interface HttpCall {
	readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
	readonly url: URL;
	readonly headers?: Readonly<Record<string, string>> | undefined;
	readonly body?: Uint8Array | undefined;
	/** Bytes of the body handed to the network so far. */
	readonly onProgress?: ((sentBytes: number) => void) | undefined;
}

export interface HttpAnswer {
	readonly status: number;
	readonly body: Buffer;
}

/** The server refused: `problem` is its own account, where it gave one. */
export class RefusedError extends CliError {
	readonly problem: Problem;

	constructor(problem: Problem, hint: string | undefined) {
		super(`the server refused (${problem.status} ${problem.code}): ${problem.detail}`, {
			hint,
			exitCode: EXIT_CODES.refused,
		});
		this.problem = problem;
	}
}

/** Resolves for every answer below 400; else throws {@link RefusedError}, or CliError when there is no answer. */
export async function callServer(call: HttpCall): Promise<HttpAnswer> {
	const answer = await exchange(call).catch((cause: unknown) => {
		throw noAnswer(call.url, cause);
	});
	if (answer.status >= 400) throw refusal(answer);
	return answer;
}

function exchange(call: HttpCall): Promise<HttpAnswer> {
	return new Promise((resolve, reject) => {
		const start = call.url.protocol === "https:" ? httpsRequest : httpRequest;
		const headers: Record<string, string | number> = { accept: "application/json", ...call.headers };
		if (call.body) headers["content-length"] = call.body.length;
		const request = start(call.url, { method: call.method, headers, timeout: SILENCE_MAX_MS });
		request.on("timeout", () => request.destroy(new Error(`no answer for ${SILENCE_MAX_MS / 1000} s`)));
		request.on("response", (response) => readBody(response).then(resolve, reject));
		// An upload may be refused before it is all sent: the answer counts, not the broken pipe behind it.
		request.on("error", (error) => setTimeout(() => reject(error), 100));
		sendBody(request, call);
	});
}

function sendBody(request: ReturnType<typeof httpRequest>, call: HttpCall): void {
	const body = call.body ?? new Uint8Array();
	let at = 0;
	const sendMore = () => {
		while (at < body.length && !request.destroyed) {
			const piece = body.subarray(at, at + PIECE_BYTES);
			at += piece.length;
			const hasRoom = request.write(piece);
			call.onProgress?.(at);
			if (!hasRoom) {
				request.once("drain", sendMore);
				return;
			}
		}
		request.end();
	};
	sendMore();
}

async function readBody(response: IncomingMessage): Promise<HttpAnswer> {
	const pieces: Buffer[] = [];
	let length = 0;
	for await (const piece of response as AsyncIterable<Buffer>) {
		length += piece.length;
		if (length > ANSWER_MAX_BYTES) throw new Error("the answer is too long");
		pieces.push(piece);
	}
	return { status: response.statusCode ?? 0, body: Buffer.concat(pieces) };
}

function refusal({ status, body }: HttpAnswer): CliError {
	try {
		const problem = parseProblem(body);
		return new RefusedError(problem, HINTS[problem.code]);
	} catch (error) {
		if (!(error instanceof FotaError)) throw error;
		return new CliError(`the server answered ${status} without saying why`, {
			hint: "Something else than the update server may be at this address. Look at its log.",
			exitCode: EXIT_CODES.refused,
		});
	}
}

const HINTS: Readonly<Partial<Record<Problem["code"], string>>> = {
	"auth-missing": "Give a token of this server with --token or in FOTA_TOKEN.",
	"auth-failed":
		"This server does not know the token, or it is over. Give another one with --token or in FOTA_TOKEN.",
	forbidden: "The token's role does not allow this. Give another token, or ask an admin for the role.",
	"rate-limited": "Too many requests in a short time. Try again in a minute.",
	"signature-invalid":
		"A release key that the server does not know: publish once with --release-key keys/release.pub, as an admin, or sign " +
		"with a key that it knows. A signature that does not fit: sign again, and publish that very file.",
	"manifest-mismatch": "Image and statement do not belong together. Run fota sign on this very file.",
	"release-exists": "Raise the version, build and sign again.",
	"upload-too-large": "Is this the application's .bin, and not a whole flash dump?",
	"device-unknown": "fota status lists the devices; fota provision adds one.",
	"server-failed": "The server's log says more.",
	"server-unavailable": "The server is stopping or its storage is away. Try again in a moment.",
};
