// Secrets of webhooks and the signatures they make (Standard Webhooks, https://www.standardwebhooks.com). A secret comes
// from the master key and the webhook's salt, so it is kept nowhere; the operator sees it once.
import { createHmac, hkdfSync, randomBytes } from "node:crypto";
import { KEY_BYTES } from "../../src/protocol/limits.js";

const INFO = "fota webhook secret 1";
const SALT_BYTES = 16;

export function newSalt(): string {
	return randomBytes(SALT_BYTES).toString("hex");
}

function keyOf(masterKey: Uint8Array, salt: string): Buffer {
	return Buffer.from(hkdfSync("sha256", masterKey, Buffer.from(salt, "hex"), INFO, KEY_BYTES));
}

/** As the receiver's library takes it. */
export function webhookSecret(masterKey: Uint8Array, salt: string): string {
	return `whsec_${keyOf(masterKey, salt).toString("base64")}`;
}

export interface SignedMessage {
	readonly id: string;
	/** Unix seconds of this attempt; the receiver refuses old ones (threat: replay). */
	readonly timestampSeconds: number;
	readonly body: string;
}

/** The webhook-signature header: one signature a salt, the newest first. */
export function webhookSignature(
	masterKey: Uint8Array,
	salts: readonly string[],
	{ id, timestampSeconds, body }: SignedMessage,
): string {
	const text = `${id}.${timestampSeconds}.${body}`;
	return salts
		.map((salt) => `v1,${createHmac("sha256", keyOf(masterKey, salt)).update(text).digest("base64")}`)
		.join(" ");
}
