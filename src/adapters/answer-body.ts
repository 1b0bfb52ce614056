// The body of one answer, collected in one fixed buffer, whatever pieces the network gives. Used by exchange. It must
// not know what the body says.

export class AnswerBody {
	readonly #buffer: Uint8Array;
	#filledBytes = 0;

	/** Allocated once, for all answers of one connection. */
	constructor(maxBytes: number) {
		this.#buffer = new Uint8Array(maxBytes);
	}

	get maxBytes(): number {
		return this.#buffer.length;
	}

	clear(): void {
		this.#filledBytes = 0;
	}

	/** False if the piece does not fit; then none of it was taken. */
	append(source: Uint8Array, offset: number, byteCount: number): boolean {
		if (byteCount > this.#buffer.length - this.#filledBytes) return false;
		for (let i = 0; i < byteCount; i += 1) this.#buffer[this.#filledBytes + i] = source[offset + i] ?? 0;
		this.#filledBytes += byteCount;
		return true;
	}

	/** A view, valid until the next clear(). */
	bytes(): Uint8Array {
		return this.#buffer.subarray(0, this.#filledBytes);
	}
}
