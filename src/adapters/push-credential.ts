// Who may push: challenges that count once, and the MAC over what is pushed (docs/protocol.md §16.2). Used by
// push-exchange. It must not know HTTP connections, nor what follows from its verdict.

import type { FotaCrypto } from "../native/fota-crypto.js";
import { KEY_LABELS } from "../protocol/device-auth.js";
import { hexEncode, utf8Encode } from "../protocol/encoding.js";
import { CHALLENGE_BYTES, HASH_BYTES } from "../protocol/limits.js";
import { type PushAuthorization, type PushRequest, pushMacInput } from "../protocol/push.js";
import type { Clock } from "../update/ports.js";
import { derivedHmac, type Hash, type Hmac, type NativeCrypto } from "./derived-hmac.js";

export const CHALLENGES_MAX = 4;
export const CHALLENGE_LIFE_MS = 60_000;

export interface PushCredentialOptions {
	readonly native: NativeCrypto;
	readonly random: Pick<FotaCrypto, "random">;
	readonly deviceKey: Uint8Array;
	readonly clock: Clock;
}

/** stale: by somebody who has the key, but with a challenge that does not count (any more). */
export type PushVerdict = "right" | "wrong" | "stale";

export class PushCredential {
	readonly #random: Pick<FotaCrypto, "random">;
	readonly #clock: Clock;
	readonly #hmac: Hmac;
	readonly #sha: Hash;
	readonly #digest = new Uint8Array(HASH_BYTES);
	/** Oldest first. In RAM: a restart makes all of them void. */
	#challenges: readonly { readonly text: string; readonly issuedMs: number }[] = [];

	constructor(options: PushCredentialOptions) {
		const { native, deviceKey } = options;
		this.#random = options.random;
		this.#clock = options.clock;
		this.#hmac = derivedHmac({ native, deviceKey, info: utf8Encode(KEY_LABELS.push) });
		this.#sha = new native.Sha256();
	}

	/** 32 hex digits, good for one push within a minute; the oldest goes when there are too many. */
	newChallenge(): string {
		const bytes = new Uint8Array(CHALLENGE_BYTES);
		this.#random.random(bytes);
		const text = hexEncode(bytes);
		const challenge = { text, issuedMs: this.#clock.nowMs() };
		this.#challenges = [...this.#living(), challenge].slice(-CHALLENGES_MAX);
		return text;
	}

	/** In constant time. A right MAC uses its challenge up; a wrong one does not, or a stranger could spend an owner's. */
	judge(
		request: Omit<PushRequest, "challenge" | "statementHash"> & { readonly release: string },
		authorization: PushAuthorization,
	): PushVerdict {
		const { method, target, contentLengthBytes, release } = request;
		const { challenge, mac } = authorization;
		const statementHash = this.#hash(utf8Encode(release));
		const input = pushMacInput({ method, target, contentLengthBytes, challenge, statementHash });
		this.#hmac.startVerify();
		this.#hmac.update(input, 0, input.length);
		if (!this.#hmac.verify(mac, 0)) return "wrong";
		const living = this.#living();
		this.#challenges = living.filter(({ text }) => text !== challenge);
		return this.#challenges.length < living.length ? "right" : "stale";
	}

	#living(): readonly { readonly text: string; readonly issuedMs: number }[] {
		const nowMs = this.#clock.nowMs();
		return this.#challenges.filter(({ issuedMs }) => nowMs - issuedMs < CHALLENGE_LIFE_MS);
	}

	#hash(bytes: Uint8Array): string {
		this.#sha.update(bytes, 0, bytes.length);
		this.#sha.digest(this.#digest, 0);
		return hexEncode(this.#digest);
	}
}
