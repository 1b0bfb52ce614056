// What lies in a fake slot, looked at as the chip looks at it. Used by nor-slots.ts; it must not know boot records.
import { createHash } from "node:crypto";
import { FotaError } from "../../src/protocol/error-codes.js";
import { checkImage, parseImagePreamble } from "../../src/protocol/esp-image.js";
import type { SlotInfo } from "../../src/update/ports.js";

/** Images that were found valid: the sweeps look at the same few again and again. */
const KNOWN_IMAGES: Uint8Array[] = [];

/** What running() and spare() say of the image that begins there; a torn description names none. */
export function imageFacts(flash: Uint8Array): Pick<SlotInfo, "version" | "securityVersion"> {
	try {
		const { version, secureVersion } = parseImagePreamble(flash);
		return { version, securityVersion: secureVersion };
	} catch (error) {
		if (!(error instanceof FotaError) || error.code !== "image-invalid") throw error;
		return { version: undefined, securityVersion: 0 };
	}
}

/** Length of the image that begins there. Throws `image-invalid`. */
export function imageLength(flash: Uint8Array): number {
	const view = new DataView(flash.buffer, flash.byteOffset, flash.byteLength);
	if (flash[0] !== 0xe9) throw new FotaError("image-invalid", "no image");
	const known = KNOWN_IMAGES.find((image) => Buffer.compare(image, flash.subarray(0, image.length)) === 0);
	if (known) return known.length;
	const hashOffset = (Math.floor((32 + view.getUint32(28, true)) / 16) + 1) * 16;
	const image = flash.subarray(0, hashOffset + 32);
	checkImage(image);
	const hash = createHash("sha256").update(image.subarray(0, hashOffset)).digest();
	if (Buffer.compare(hash, image.subarray(hashOffset)) !== 0)
		throw new FotaError("image-invalid", "wrong appended hash");
	if (KNOWN_IMAGES.length < 16) KNOWN_IMAGES.push(image.slice());
	return image.length;
}
