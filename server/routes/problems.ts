// Everything that goes wrong, as problem details (RFC 9457; docs/protocol.md §9). The only place where an error
// becomes a status.
import type { Socket } from "node:net";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { type ErrorCode, FotaError } from "../../src/protocol/error-codes.js";
import { encodeProblem, PROBLEM_MEDIA_TYPE, type Problem } from "../../src/protocol/problem.js";
import { POSTGRES_DISK_FULL, POSTGRES_TEXT_REFUSED } from "../stores/postgres-pool.js";

/** Status of the codes that a server raises; the others are faults of its own when they come from inside. */
const STATUS_OF_CODE: Partial<Record<ErrorCode, number>> = {
	"request-malformed": 400,
	"auth-missing": 401,
	"auth-failed": 401,
	"nonce-stale": 401,
	forbidden: 403,
	"password-change-needed": 403,
	"device-unknown": 404,
	"release-unknown": 404,
	"not-found": 404,
	"release-exists": 409,
	"device-decommissioned": 409,
	"rollout-conflict": 409,
	"name-taken": 409,
	"last-admin": 409,
	"upload-too-large": 413,
	"statement-malformed": 422,
	"signature-invalid": 422,
	"manifest-mismatch": 422,
	"chip-mismatch": 422,
	"hash-mismatch": 422,
	"image-invalid": 422,
	"rate-limited": 429,
	"server-unavailable": 503,
};

/** What a client that is sent away for now may take as its pause, where nobody knows better. */
const RETRY_AFTER_S = 10;
/** Too many requests, and a server that is away. */
const SENT_AWAY = [429, 503];

/** Of the folder of images: that an upload does not fit is told to who sends it. */
const FOLDER_FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
/** Of the database: no request can be served, so it is away, and a device that comes again later has failed at nothing. */
const DATABASE_FULL = new Set(["SQLITE_FULL", POSTGRES_DISK_FULL]);
/** The last net behind validation.ts: whatever text came through, it is its sender's fault. */
const TEXT_REFUSED: ReadonlySet<string> = new Set(POSTGRES_TEXT_REFUSED);
const STORAGE_AWAY = /^(SQLITE_(BUSY|LOCKED|IOERR|CANTOPEN|READONLY)|EIO$|EROFS$|EMFILE$|ENFILE$)/;

/** Of an answer with this code, whatever raised it. */
export function statusOf(code: ErrorCode): number | undefined {
	return STATUS_OF_CODE[code];
}

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
	if (SENT_AWAY.includes(problem.status) && !reply.hasHeader("retry-after"))
		reply.header("retry-after", RETRY_AFTER_S);
	// Threat: a browser that takes for a page what it was told is none. Operators' routes say it of every answer.
	reply.header("x-content-type-options", "nosniff");
	// As bytes: to a string Fastify would add a charset, which the media type has not (RFC 9457 §6).
	return reply
		.code(problem.status)
		.type(PROBLEM_MEDIA_TYPE)
		.send(Buffer.from(encodeProblem(problem)));
}

/** Fastify's error handler. */
export function handleError(
	error: FastifyError | Error,
	request: FastifyRequest,
	reply: FastifyReply,
): FastifyReply {
	const problem = toProblem(error);
	if (problem.status >= 500) request.log.error({ err: error, code: problem.code }, "request failed");
	else request.log.debug({ code: problem.code, detail: problem.detail }, "request refused");
	return sendProblem(reply, problem);
}

export function toProblem(error: FastifyError | Error): Problem {
	if (error instanceof FotaError) {
		const status = STATUS_OF_CODE[error.code];
		if (status !== undefined) return { status, code: error.code, detail: error.message };
	}
	return storageProblem(error) ?? clientGoneProblem(error) ?? frameworkProblem(error) ?? internalProblem();
}

function storageProblem(error: Error): Problem | undefined {
	const code = (error as NodeJS.ErrnoException).code ?? "";
	if (FOLDER_FULL.has(code))
		return { status: 507, code: "server-unavailable", detail: "the server's storage is full" };
	if (DATABASE_FULL.has(code))
		return {
			status: 503,
			code: "server-unavailable",
			detail: "the disk under the server's database is full",
		};
	if (STORAGE_AWAY.test(code))
		return { status: 503, code: "server-unavailable", detail: "the server's storage is out of reach" };
	if (TEXT_REFUSED.has(code))
		return { status: 400, code: "request-malformed", detail: "a text has a character that cannot be stored" };
	return undefined;
}

// Nobody reads this answer, but the log does: a broken upload is no fault of the server.
function clientGoneProblem(error: Error): Problem | undefined {
	const code = (error as NodeJS.ErrnoException).code;
	if (code !== "ECONNRESET" && code !== "ERR_STREAM_PREMATURE_CLOSE") return undefined;
	return { status: 400, code: "request-malformed", detail: "the body ended early" };
}

// Fastify's own refusals have a status from 400 to 499 and a message of their own making.
function frameworkProblem(error: Error): Problem | undefined {
	const status = (error as FastifyError).statusCode;
	if (status === undefined || status < 400 || status > 499) return undefined;
	if (status === 413) return { status, code: "upload-too-large", detail: "the body is too large" };
	if ((error as FastifyError).code === "FST_ERR_CTP_INVALID_JSON_BODY")
		return { status, code: "request-malformed", detail: "the body is not JSON" };
	if (status === 415) return { status, code: "request-malformed", detail: "content type not supported" };
	return { status, code: "request-malformed", detail: "the request is malformed" };
}

function internalProblem(): Problem {
	return { status: 500, code: "server-failed", detail: "unexpected fault; see the server's log" };
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
	HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large"],
	ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout"],
};

/** What Node's HTTP parser refuses before there is a request: answered on the bare socket, then closed. */
export function handleClientError(error: NodeJS.ErrnoException, socket: Socket): void {
	if (error.code === "ECONNRESET" || !socket.writable) {
		socket.destroy();
		return;
	}
	const [status, title] = CLIENT_ERRORS[error.code ?? ""] ?? [400, "Bad Request"];
	const body = encodeProblem({ status, code: "request-malformed", detail: title.toLowerCase() });
	const head = [
		`HTTP/1.1 ${status} ${title}`,
		`content-type: ${PROBLEM_MEDIA_TYPE}`,
		`content-length: ${Buffer.byteLength(body)}`,
		"connection: close",
	];
	socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}
