// The requests of many devices, made and MACed as their firmware does (docs/protocol.md §3), and what each must be answered.
// Used by the load generator; it must not know connections nor time.

import { hkdfSync } from "node:crypto";
import { deviceKeyOf, hmac, sha256Hex } from "../../server/auth/device-keys.js";
import { CHUNK_PATH, CHUNKS_MEDIA_TYPE, framesLength } from "../../src/protocol/chunk-frames.js";
import {
	encodeAuthorization,
	KEY_LABELS,
	requestMacInput,
	responseMacInput,
} from "../../src/protocol/device-auth.js";
import { hexDecode } from "../../src/protocol/encoding.js";
import { DEFAULT_SETTINGS } from "../../src/protocol/identity.js";
import { chunkCountOf, chunkLengthOf, MANIFEST_PATH } from "../../src/protocol/manifest.js";
import { encodeStatusReport, STATUS_PATH } from "../../src/protocol/status-report.js";
import type { BenchRelease, Job } from "./load.js";

export const DEVICE_TYPE = "bench";
export const CHIP = "esp32";
/** What devices run that are offered the release. */
export const OLD_VERSION = "1.0.0";
const OLD_CHUNK_BYTES = 16_384;
const NO_BODY_HASH = sha256Hex("");

export interface LoadRequest {
	readonly method: "GET" | "POST";
	readonly path: string;
	readonly headers: Readonly<Record<string, string>>;
	readonly body?: string;
	readonly expectedStatus: number;
	/** Of the body; undefined where it is not known beforehand. */
	readonly expectedBytes: number | undefined;
	/** Bytes of the image that the answer brings. */
	readonly imageBytes: number;
	/** The MAC that the answer with this body must have; undefined where it has none. */
	readonly macOf: ((status: number, body: Uint8Array) => string) | undefined;
}

interface Device {
	readonly id: string;
	readonly requestKey: Uint8Array;
	readonly responseKey: Uint8Array;
	/** Requests so far, in this job. */
	count: number;
}

/** Nonces rise over all jobs and devices of a process. */
let lastNonce = 0;

/** The devices of one connection, one after the other. */
export class DeviceLoad {
	readonly #job: Job;
	readonly #devices: Device[] = [];
	#next = 0;

	/** Of the job's devices each `step`-th from the `first` on. Keys are derived here, before the clock runs. */
	constructor(job: Job, { first, step }: { readonly first: number; readonly step: number }) {
		this.#job = job;
		if (job.kind === "file") return;
		const { name, count, first: start } = job.fleet;
		const masterKey = hexDecode(job.masterKeyHex, 32) ?? new Uint8Array(32);
		for (let at = first; at < count; at += step)
			this.#devices.push(makeDevice(masterKey, `${name}-${start + at}`));
		if (this.#devices.length === 0) throw new RangeError("fewer devices than connections");
	}

	next(): LoadRequest {
		const { kind, release } = this.#job;
		if (kind === "file") return fileRequest(release);
		const device = this.#devices[this.#next++ % this.#devices.length] as Device;
		device.count++;
		if (kind === "json") return jsonRequest(device, release);
		if (kind === "reports") return reportRequest(device, release);
		if (kind === "frames") return framesRequest(device, release);
		return pollRequest(device, release, kind === "offers");
	}
}

function makeDevice(masterKey: Uint8Array, id: string): Device {
	const key = deviceKeyOf(masterKey, { device_id: id, device_key: null, key_generation: 0 });
	const derive = (label: string) => new Uint8Array(hkdfSync("sha256", key, KEY_LABELS.derived, label, 32));
	return { id, requestKey: derive(KEY_LABELS.request), responseKey: derive(KEY_LABELS.response), count: 0 };
}

function fileRequest({ sizeBytes }: BenchRelease): LoadRequest {
	const answer = { expectedStatus: 200, expectedBytes: sizeBytes, imageBytes: sizeBytes, macOf: undefined };
	return { method: "GET", path: "/image.bin", headers: {}, ...answer };
}

/** Without a MAC: such a device has a request a chunk, each chunk a JSON document. */
function jsonRequest(device: Device, { hash, sizeBytes }: BenchRelease): LoadRequest {
	const number = (device.count - 1) % chunkCountOf(sizeBytes, OLD_CHUNK_BYTES);
	return {
		method: "GET",
		path: `${CHUNK_PATH}?chunk_number=${number}&chunk_size=${OLD_CHUNK_BYTES}&hash=${hash}`,
		headers: { "device-id": device.id, accept: "application/json" },
		expectedStatus: 200,
		expectedBytes: undefined,
		imageBytes: chunkLengthOf(number, sizeBytes, OLD_CHUNK_BYTES),
		macOf: undefined,
	};
}

function framesRequest(device: Device, { hash, sizeBytes }: BenchRelease): LoadRequest {
	const { chunkBytes } = DEFAULT_SETTINGS;
	const count = chunkCountOf(sizeBytes, chunkBytes);
	const path = `${CHUNK_PATH}?chunk_number=0&count=${count}&chunk_size=${chunkBytes}&hash=${hash}`;
	const { headers } = signed(device, { method: "GET", path });
	return {
		method: "GET",
		path,
		headers: { ...headers, accept: CHUNKS_MEDIA_TYPE },
		expectedStatus: 200,
		expectedBytes: framesLength({ first: 0, count, sizeBytes, chunkBytes }),
		imageBytes: sizeBytes,
		// Each frame has its own.
		macOf: undefined,
	};
}

function pollRequest(device: Device, release: BenchRelease, isOffered: boolean): LoadRequest {
	const version = isOffered ? OLD_VERSION : release.version;
	const { chunkBytes } = DEFAULT_SETTINGS;
	const path = `${MANIFEST_PATH}?device_type=${DEVICE_TYPE}&chip=${CHIP}&version=${version}&build_number=1&chunk_size=${chunkBytes}`;
	return {
		method: "GET",
		path,
		expectedStatus: isOffered ? 200 : 204,
		expectedBytes: isOffered ? undefined : 0,
		imageBytes: 0,
		...signed(device, { method: "GET", path }),
	};
}

function reportRequest(device: Device, { version, hash, sizeBytes }: BenchRelease): LoadRequest {
	const chunkCount = chunkCountOf(sizeBytes, DEFAULT_SETTINGS.chunkBytes);
	const body = encodeStatusReport({
		state: "DOWNLOADING",
		bootStatus: "normal",
		deviceType: DEVICE_TYPE,
		chip: CHIP,
		version: OLD_VERSION,
		slot: "ota_0",
		resetReason: "poweron",
		uptimeSeconds: 60 + device.count,
		target: { version, hash },
		chunksReceived: Math.min(device.count, chunkCount - 1),
		chunkCount,
	});
	return {
		method: "POST",
		path: STATUS_PATH,
		body,
		expectedStatus: 200,
		expectedBytes: undefined,
		imageBytes: 0,
		...signed(device, { method: "POST", path: STATUS_PATH, body }),
	};
}

function signed(
	device: Device,
	{ method, path, body }: { readonly method: string; readonly path: string; readonly body?: string },
): Pick<LoadRequest, "headers" | "macOf"> {
	const nonce = ++lastNonce;
	const bodyHash = body === undefined ? NO_BODY_HASH : sha256Hex(body);
	const mac = hmac(device.requestKey, requestMacInput({ method, target: path, nonce, bodyHash }));
	const authorization = encodeAuthorization({ deviceId: device.id, nonce, macHex: mac.toString("hex") });
	return {
		headers: { authorization, ...(body !== undefined && { "content-type": "application/json" }) },
		macOf: (status, answer) => {
			const input = responseMacInput({ nonce, status, bodyHash: sha256Hex(answer) });
			return hmac(device.responseKey, input).toString("hex");
		},
	};
}
