// The check of a complete image in the spare slot, a slice a turn so that the device's own work goes on: SHA-256 over
// what is read back from the flash against the signed hash, then the chip's own image check, then the description
// against what was signed. Nothing is written. Used by the runner.
import { FotaError } from "../protocol/error-codes.js";
import { IMAGE_PREAMBLE_BYTES, type ImagePreamble, parseImagePreamble } from "../protocol/esp-image.js";
import type { Release } from "./persistent-state.js";
import type { Device, ImageHasher, Slots } from "./ports.js";

const BUFFER_BYTES = 4096;
/** Read and hashed in one turn. */
const SLICE_BYTES = 16_384;

export class Verification {
	readonly #slots: Slots;
	readonly #hasher: ImageHasher;
	readonly #chip: Device["chip"];
	readonly #release: Release;
	readonly #buffer = new Uint8Array(BUFFER_BYTES);
	#offset = 0;

	constructor(options: {
		readonly slots: Slots;
		readonly hasher: ImageHasher;
		readonly chip: Device["chip"];
		readonly release: Release;
	}) {
		this.#slots = options.slots;
		this.#hasher = options.hasher;
		this.#chip = options.chip;
		this.#release = options.release;
	}

	/** One slice. True when the image is verified. Throws `hash-mismatch`, `image-invalid`, `chip-mismatch`, `flash-failed`. */
	step(): boolean {
		const { sizeBytes } = this.#release;
		try {
			const end = Math.min(sizeBytes, this.#offset + SLICE_BYTES);
			while (this.#offset < end) this.#hashPiece(Math.min(BUFFER_BYTES, end - this.#offset));
		} catch (cause) {
			this.abandon();
			throw cause;
		}
		if (this.#offset < sizeBytes) return false;
		this.#offset = 0;
		this.#checkHash();
		this.#checkImage();
		return true;
	}

	/** Leaves the hasher ready for the next image. */
	abandon(): void {
		if (this.#offset > 0) this.#hasher.digestHex();
		this.#offset = 0;
	}

	#hashPiece(byteCount: number): void {
		this.#slots.read(this.#offset, this.#buffer, 0, byteCount);
		this.#hasher.update(this.#buffer, 0, byteCount);
		this.#offset += byteCount;
	}

	#checkHash(): void {
		const hash = this.#hasher.digestHex();
		if (hash !== this.#release.hash)
			throw new FotaError("hash-mismatch", `flash has ${hash.slice(0, 16)}…, signed is another`);
	}

	#checkImage(): void {
		const length = this.#slots.verifyImage();
		const { sizeBytes, version } = this.#release;
		if (length > sizeBytes)
			throw new FotaError("image-invalid", `the image is ${length} bytes long, ${sizeBytes} were signed`);
		const preamble = this.#readPreamble();
		if (preamble.chip !== this.#chip)
			throw new FotaError("chip-mismatch", `image for chip id ${preamble.chipId}, this is ${this.#chip}`);
		if (preamble.version !== version)
			throw new FotaError("image-invalid", `image calls itself ${preamble.version}, ${version} was signed`);
	}

	#readPreamble(): ImagePreamble {
		this.#slots.read(0, this.#buffer, 0, IMAGE_PREAMBLE_BYTES);
		return parseImagePreamble(this.#buffer.subarray(0, IMAGE_PREAMBLE_BYTES));
	}
}
