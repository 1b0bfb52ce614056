// How this device proves itself to the server, and how it knows the server's answers (docs/protocol.md §3.2, §3.3).
// Used by exchange. It must not know HTTP clients, nor what is asked.

import {
	encodeAuthorization,
	KEY_LABELS,
	requestMacInput,
	responseMacInput,
} from "../protocol/device-auth.js";
import { hexDecode, hexEncode, utf8Encode } from "../protocol/encoding.js";
import { HASH_BYTES, MAC_BYTES } from "../protocol/limits.js";
import { derivedHmac, type Hash, type Hmac, type NativeCrypto } from "./derived-hmac.js";
import type { Nonces } from "./nonces.js";

export interface DeviceCredentialOptions {
	readonly native: NativeCrypto;
	readonly deviceId: string;
	readonly deviceKey: Uint8Array;
	readonly nonces: Pick<Nonces, "next" | "skipTo">;
}

export interface UnsignedRequest {
	readonly method: string;
	readonly target: string;
	readonly body: Uint8Array | undefined;
}

export interface Signature {
	readonly nonce: number;
	/** Value of the Authorization header. */
	readonly authorization: string;
}

export interface SignedAnswer {
	/** Of the request that is answered. */
	readonly nonce: number;
	readonly status: number;
	readonly body: Uint8Array;
	/** As the header has it; undefined if there was none. */
	readonly macHex: string | undefined;
}

export class DeviceCredential {
	readonly #deviceId: string;
	readonly #nonces: Pick<Nonces, "next" | "skipTo">;
	readonly #requestHmac: Hmac;
	readonly #responseHmac: Hmac;
	readonly #sha: Hash;
	readonly #digest = new Uint8Array(HASH_BYTES);

	constructor(options: DeviceCredentialOptions) {
		const { native, deviceKey } = options;
		this.#deviceId = options.deviceId;
		this.#nonces = options.nonces;
		this.#requestHmac = derivedHmac({ native, deviceKey, info: utf8Encode(KEY_LABELS.request) });
		this.#responseHmac = derivedHmac({ native, deviceKey, info: utf8Encode(KEY_LABELS.response) });
		this.#sha = new native.Sha256();
	}

	/** Takes a new nonce each time, also for the same request. */
	sign(request: UnsignedRequest): Signature {
		const { method, target } = request;
		const nonce = this.#nonces.next();
		const input = requestMacInput({ method, target, nonce, bodyHash: this.#bodyHash(request.body) });
		this.#requestHmac.startSign();
		this.#requestHmac.update(input, 0, input.length);
		this.#requestHmac.digest(this.#digest, 0);
		const macHex = hexEncode(this.#digest);
		return { nonce, authorization: encodeAuthorization({ deviceId: this.#deviceId, nonce, macHex }) };
	}

	/** In constant time. An answer to another request, or with another status, is not authentic for this one. */
	isAuthentic(answer: SignedAnswer): boolean {
		const mac = hexDecode(answer.macHex ?? "", MAC_BYTES);
		if (mac === undefined) return false;
		const { nonce, status } = answer;
		const input = responseMacInput({ nonce, status, bodyHash: this.#bodyHash(answer.body) });
		this.#responseHmac.startVerify();
		this.#responseHmac.update(input, 0, input.length);
		return this.#responseHmac.verify(mac, 0);
	}

	/** For the `next_nonce` of an authentic answer. False: not a nonce that can be taken. */
	skipTo(nonce: number): boolean {
		return this.#nonces.skipTo(nonce);
	}

	#bodyHash(body: Uint8Array | undefined): string {
		if (body !== undefined) this.#sha.update(body, 0, body.length);
		this.#sha.digest(this.#digest, 0);
		return hexEncode(this.#digest);
	}
}
