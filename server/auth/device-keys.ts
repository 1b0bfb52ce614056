// The keys between server and device (docs/protocol.md §3): derived, never stored, except an imported device key.
import { createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import {
	chunkKeyInfo,
	KEY_LABELS,
	requestMacInput,
	responseMacInput,
	type SignedRequest,
	type SignedResponse,
} from "../../src/protocol/device-auth.js";
import { KEY_BYTES } from "../../src/protocol/limits.js";

/** The device's own key: imported, or from the master key and its id. */
export function deviceKeyOf(
	masterKey: Uint8Array,
	device: {
		readonly device_id: string;
		readonly device_key: string | null;
		/** How often the derived key was replaced. */
		readonly key_generation: number;
	},
): Uint8Array {
	const { device_id: deviceId, device_key: imported, key_generation: generation } = device;
	if (imported !== null) return Buffer.from(imported, "hex");
	// No device id has a space in it, so no other device has this text.
	return derive(masterKey, KEY_LABELS.device, generation === 0 ? deviceId : `${deviceId} ${generation}`);
}

export function isRequestAuthentic(deviceKey: Uint8Array, request: SignedRequest, mac: Uint8Array): boolean {
	const key = derive(deviceKey, KEY_LABELS.derived, KEY_LABELS.request);
	return timingSafeEqual(hmac(key, requestMacInput(request)), mac);
}

/** Hex, for the fota-mac header. */
export function responseMac(deviceKey: Uint8Array, response: SignedResponse): string {
	return hmac(
		derive(deviceKey, KEY_LABELS.derived, KEY_LABELS.response),
		responseMacInput(response),
	).toString("hex");
}

export function chunkKeyOf(deviceKey: Uint8Array, imageHash: Uint8Array): Uint8Array {
	return derive(deviceKey, KEY_LABELS.derived, chunkKeyInfo(imageHash));
}

export function hmac(key: Uint8Array, ...pieces: readonly Uint8Array[]): Buffer {
	const mac = createHmac("sha256", key);
	for (const piece of pieces) mac.update(piece);
	return mac.digest();
}

export function sha256Hex(bytes: Uint8Array | string): string {
	return createHash("sha256").update(bytes).digest("hex");
}

function derive(key: Uint8Array, salt: string, info: string | Uint8Array): Uint8Array {
	return new Uint8Array(hkdfSync("sha256", key, salt, info, KEY_BYTES));
}
