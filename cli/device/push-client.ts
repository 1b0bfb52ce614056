// Speaks to a device on the local network (docs/protocol.md §16): asks what it is, pushes an image to it, confirms it. Called by
// `fota push` and by tests. It must not print.
import { createHash, createHmac, hkdfSync } from "node:crypto";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { KEY_LABELS } from "../../src/protocol/device-auth.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { INFO_MAX_BYTES, KEY_BYTES } from "../../src/protocol/limits.js";
import { type Problem, parseProblem } from "../../src/protocol/problem.js";
import {
	CONFIRM_PATH,
	type ConfirmResult,
	type DeviceInformation,
	encodePushAuthorization,
	INFO_PATH,
	type PushResult,
	parseConfirmResult,
	parseDeviceInformation,
	parsePushResult,
	pushMacInput,
	RELEASE_HEADER,
	UPDATE_PATH,
} from "../../src/protocol/push.js";
import { CliError, EXIT_CODES } from "../cli-error.js";

/** Longest silence of the device in milliseconds: it erases, and verifies what it was sent. */
const SILENCE_MAX_MS = 60_000;
/** Longest wait for its answer to a question, or for its leave to send. */
const ANSWER_MAX_MS = 15_000;
const PIECE_BYTES = 4096;

export interface DeviceAddress {
	readonly host: string;
	readonly port: number;
}

/** The device refused: `problem` is its own account. */
export class PushRefusedError extends CliError {
	readonly problem: Problem;

	constructor(problem: Problem, hint: string | undefined) {
		super(`the device refused (${problem.status} ${problem.code}): ${problem.detail}`, {
			hint,
			exitCode: EXIT_CODES.refused,
		});
		this.problem = problem;
	}
}

export interface Push {
	readonly image: Uint8Array;
	/** Compact JWS. */
	readonly release: string;
	readonly deviceKey: Uint8Array;
	/** Of an information asked for just now. */
	readonly challenge: string;
	/** Bytes handed to the network so far. */
	readonly onProgress?: ((sentBytes: number) => void) | undefined;
}

/** Throws CliError when the device does not answer, or something else does. */
export async function askDevice(address: DeviceAddress): Promise<DeviceInformation> {
	const request = httpRequest({ ...address, path: INFO_PATH, agent: false, timeout: ANSWER_MAX_MS });
	const answer = await exchange(request, address, () => request.end());
	if (answer.status !== 200) throw refusal(answer, address);
	return understood(address, () => parseDeviceInformation(answer.body));
}

/** What a credential is made from. */
export type Credential = Pick<Push, "release" | "deviceKey" | "challenge">;

/** The value of the Authorization header. */
export function authorize(push: Credential, sizeBytes: number, target = UPDATE_PATH): string {
	const { release, deviceKey, challenge } = push;
	const key = hkdfSync("sha256", deviceKey, KEY_LABELS.derived, KEY_LABELS.push, KEY_BYTES);
	const input = pushMacInput({
		method: "POST",
		target,
		challenge,
		statementHash: createHash("sha256").update(release).digest("hex"),
		contentLengthBytes: sizeBytes,
	});
	const macHex = createHmac("sha256", Buffer.from(key)).update(input).digest("hex");
	return encodePushAuthorization({ challenge, macHex });
}

/** Vouches for the release on trial in the server's place. Throws as pushImage. */
export async function confirmPush(address: DeviceAddress, credential: Credential): Promise<ConfirmResult> {
	const { release } = credential;
	const request = httpRequest({
		...address,
		method: "POST",
		path: CONFIRM_PATH,
		agent: false,
		timeout: ANSWER_MAX_MS,
		headers: {
			authorization: authorize(credential, 0, CONFIRM_PATH),
			[RELEASE_HEADER]: release,
			"content-length": 0,
		},
	});
	const answer = await exchange(request, address, () => request.end());
	if (answer.status !== 200) throw refusal(answer, address);
	return understood(address, () => parseConfirmResult(answer.body));
}

/**
 * Resolves when the device has verified and activated the image; it restarts then. Throws PushRefusedError with its
 * reason, CliError when the connection broke.
 */
export async function pushImage(address: DeviceAddress, push: Push): Promise<PushResult> {
	const { image, release } = push;
	const request = httpRequest({
		...address,
		method: "POST",
		path: UPDATE_PATH,
		agent: false,
		timeout: SILENCE_MAX_MS,
		headers: {
			authorization: authorize(push, image.length),
			[RELEASE_HEADER]: release,
			"content-type": "application/octet-stream",
			"content-length": image.length,
			// What is refused is refused before a byte of it was sent.
			expect: "100-continue",
		},
	});
	const answer = await exchange(request, address, () => {
		request.on("continue", () => sendBody(request, push));
		request.flushHeaders();
	});
	if (answer.status !== 200) throw refusal(answer, address);
	return understood(address, () => parsePushResult(answer.body));
}

function sendBody(request: ClientRequest, push: Push): void {
	const { image, onProgress } = push;
	let at = 0;
	const sendMore = () => {
		while (at < image.length && !request.destroyed) {
			const piece = image.subarray(at, at + PIECE_BYTES);
			at += piece.length;
			const hasRoom = request.write(piece);
			onProgress?.(at);
			if (!hasRoom) {
				request.once("drain", sendMore);
				return;
			}
		}
		request.end();
	};
	sendMore();
}

interface DeviceAnswer {
	readonly status: number;
	readonly body: Buffer;
}

function exchange(request: ClientRequest, address: DeviceAddress, start: () => void): Promise<DeviceAnswer> {
	return new Promise<DeviceAnswer>((resolve, reject) => {
		request.on("timeout", () => request.destroy(new Error("no answer in time")));
		request.on("response", (response) => {
			readBody(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
			response.on("end", () => request.destroy());
		});
		// A push may be refused before it is all sent: the answer counts, not the broken pipe behind it.
		request.on("error", (error) => setTimeout(() => reject(error), 300));
		start();
	}).catch((cause: unknown) => {
		throw cause instanceof CliError ? cause : unreachable(address, cause);
	});
}

async function readBody(response: IncomingMessage): Promise<Buffer> {
	const pieces: Buffer[] = [];
	let length = 0;
	for await (const piece of response as AsyncIterable<Buffer>) {
		length += piece.length;
		if (length > INFO_MAX_BYTES) throw new Error("the answer is too long");
		pieces.push(piece);
	}
	return Buffer.concat(pieces);
}

function unreachable({ host, port }: DeviceAddress, cause: unknown): CliError {
	const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
	return new CliError(`no answer from the device at ${host}:${port}: ${reason}`, {
		hint: "Is it switched on and in this network, and is --host its address? It takes two connections at a time.",
		exitCode: EXIT_CODES.unreachable,
		cause,
	});
}

function refusal(answer: DeviceAnswer, address: DeviceAddress): CliError {
	const problem = understood(address, () => parseProblem(answer.body));
	return new PushRefusedError(problem, HINTS[problem.code]);
}

function understood<T>({ host, port }: DeviceAddress, parse: () => T): T {
	try {
		return parse();
	} catch (error) {
		if (!(error instanceof FotaError)) throw error;
		throw new CliError(`what answers at ${host}:${port} is no device of this kind: ${error.message}`, {
			hint: "Something else has this address, or its firmware speaks another version of the protocol.",
			exitCode: EXIT_CODES.unreachable,
		});
	}
}

const HINTS: Readonly<Partial<Record<Problem["code"], string>>> = {
	"auth-failed": "The key in --device is not this device's. Give the file that fota provision wrote for it.",
	"challenge-stale": "Another push came between, or this one was slow. Try again.",
	"device-busy": "Wait until that is over (fota push asks again and says what it does), then push again.",
	"version-not-newer": "Raise the version, build and sign again: devices only go up.",
	"release-unknown": "It went back, or another update came between: fota push shows what runs.",
	"version-too-old": "Push the release in between first.",
	"security-downgrade": "Build with the current security version.",
	"signature-invalid":
		"The device does not trust the key this was signed with. Sign with the key it was provisioned with.",
	"statement-malformed": "Is --release what fota sign wrote?",
	"manifest-mismatch": "Image and statement do not belong together. Run fota sign on this very file.",
	"device-type-mismatch": "Sign it for the type of this device, or push to another.",
	"chip-mismatch": "Build it for the chip of this device.",
	"image-too-large": "The slot is too small for it. Make the image smaller.",
	"release-known-bad": "It was rolled back here before. Fix it; or sign it anew to have it tried again.",
	"bootloader-without-rollback": "Flash the bootloader by cable, with rollback enabled.",
	"hash-mismatch": "The image was altered on the way, or is not the one that was signed. Push again.",
	"image-invalid": "This is no image for the device. Sign and push the application's .bin.",
	"push-aborted": "The connection was too slow or broke off. Push again, nearer to the access point.",
	"flash-failed": "The device's flash failed. Try again; if it repeats, the device is worn out.",
	"storage-failed": "The device's storage is full or worn. Erase its nvs partition if it repeats.",
	"device-failed": "Read its serial log.",
};
