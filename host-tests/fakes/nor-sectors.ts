// Sectors of NOR flash as a cable reaches them: erase and program are two operations, and power may go in either. A cut
// leaves half a page, scattered bits, or a mixture of old and erased. It must not know what stands in them.
import type { Power } from "./power.js";
import { scattered } from "./scattered.js";

const SECTOR_BYTES = 4096;

export class NorSectors {
	readonly bytes: Uint8Array;
	readonly #power: Power;

	constructor(bytes: Uint8Array, power: Power) {
		this.bytes = bytes.slice();
		this.#power = power;
	}

	/** Promises, as everything over a cable. */
	async read(offsetBytes: number, byteCount: number): Promise<Uint8Array> {
		this.#power.check();
		return this.bytes.slice(offsetBytes, offsetBytes + byteCount);
	}

	async writeSector(offsetBytes: number, sector: Uint8Array): Promise<void> {
		const old = this.bytes.slice(offsetBytes, offsetBytes + SECTOR_BYTES);
		this.#power.operate("erase", (isWhole, mode) => {
			// Of the bits to be set again some are: a whole record may still stand there.
			const torn = mode === "scattered" ? scattered(old, this.#power.seed) : old.map((byte) => byte | 0x55);
			this.bytes.fill(0xff, offsetBytes, offsetBytes + SECTOR_BYTES);
			if (!isWhole) this.bytes.set(torn, offsetBytes);
		});
		this.#power.operate("program", (isWhole, mode) => {
			const half = sector.slice(0, (this.#power.seed * 97) % SECTOR_BYTES);
			const part = isWhole ? sector : mode === "scattered" ? scattered(sector, this.#power.seed) : half;
			for (const [index, byte] of part.entries())
				this.bytes[offsetBytes + index] = (this.bytes[offsetBytes + index] ?? 0xff) & byte;
		});
	}
}
