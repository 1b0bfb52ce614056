// How device and server prove themselves to each other (docs/protocol.md §3): the texts that are MACed, the header
// that carries the result, and the labels under which keys are derived. Hashing is the caller's.
import { hexDecode, utf8Encode } from "./encoding.js";
import { COUNTER_MAX, HASH_BYTES, MAC_BYTES } from "./limits.js";

/** HKDF-SHA256 (RFC 5869) labels: 32-byte keys from the device key; no key serves two purposes. */
export const KEY_LABELS = {
	/** info for the device key: ikm = master secret, salt = this label, info = device id in ASCII. */
	device: "fota device key 1",
	/** salt for all keys below: ikm = device key, info = the label (for chunks: label || 32-byte image hash). */
	derived: "fota derived key 1",
	request: "request",
	response: "response",
	chunk: "chunk",
	push: "push",
} as const;

export const AUTH_SCHEME = "FOTA-HMAC-SHA256";
/** Header of the server's MAC, 64 hex digits. */
export const RESPONSE_MAC_HEADER = "fota-mac";

export const DEVICE_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;

export interface DeviceAuthorization {
	readonly deviceId: string;
	readonly nonce: number;
	readonly mac: Uint8Array;
}

export interface SignedRequest {
	readonly method: string;
	/** Path with query, exactly as on the request line. */
	readonly target: string;
	readonly nonce: number;
	/** SHA-256 of the body, hex; of nothing when there is none. */
	readonly bodyHash: string;
}

/** What the request key's MAC is over. The nonce rises strictly, so no request counts twice (threat: replay). */
export function requestMacInput(request: SignedRequest): Uint8Array {
	return utf8Encode(
		`FOTA-REQUEST-1\n${request.method}\n${request.target}\n${request.nonce}\n${request.bodyHash}`,
	);
}

export interface SignedResponse {
	/** The nonce of the request that is answered: an old answer fits no new question (threat: replayed manifest). */
	readonly nonce: number;
	readonly status: number;
	readonly bodyHash: string;
}

/** What the response key's MAC is over. */
export function responseMacInput(response: SignedResponse): Uint8Array {
	return utf8Encode(`FOTA-RESPONSE-1\n${response.nonce}\n${response.status}\n${response.bodyHash}`);
}

/** info of the chunk key: it is bound to the image, so a chunk of another release never fits (threat: mix and match). */
export function chunkKeyInfo(imageHash: Uint8Array): Uint8Array {
	const label = utf8Encode(KEY_LABELS.chunk);
	const info = new Uint8Array(label.length + HASH_BYTES);
	info.set(label, 0);
	info.set(imageHash.subarray(0, HASH_BYTES), label.length);
	return info;
}

export function encodeAuthorization(options: {
	readonly deviceId: string;
	readonly nonce: number;
	readonly macHex: string;
}): string {
	return `${AUTH_SCHEME} device="${options.deviceId}", nonce="${options.nonce}", mac="${options.macHex}"`;
}

const AUTHORIZATION =
	/^FOTA-HMAC-SHA256 device="([A-Za-z0-9][A-Za-z0-9._-]{0,31})", nonce="([1-9][0-9]{0,15})", mac="([0-9a-f]{64})"$/;

/** Parses the Authorization header, one spelling only; undefined when it is anything else. */
export function parseAuthorization(header: string): DeviceAuthorization | undefined {
	if (header.length > 200) return undefined;
	const match = AUTHORIZATION.exec(header);
	const nonce = Number(match?.[2]);
	const mac = hexDecode(match?.[3] ?? "", MAC_BYTES);
	if (match?.[1] === undefined || mac === undefined || !(nonce <= COUNTER_MAX)) return undefined;
	return { deviceId: match[1], nonce, mac };
}
