// Two application slots on NOR flash, with boot records and a bootloader with rollback: the Slots port, its faults, and
// what a reset makes of it. Programming only clears bits; a cut leaves half a page or half an erase behind, and, worse,
// sectors that read as erased and do not hold what is programmed into them.
import { type ErrorCode, FotaError } from "../../src/protocol/error-codes.js";
import type { SlotInfo, SlotState, Slots } from "../../src/update/ports.js";
import { imageFacts, imageLength } from "./flashed-image.js";
import type { Power } from "./power.js";
import { scattered } from "./scattered.js";

const SECTOR = 4096;
const ERASED = new Uint8Array(0x20_000).fill(0xff);
interface BootRecord {
	sequence: number;
	state: SlotState;
	trialBoots: number;
}

export interface NorSlotsOptions {
	readonly power: Power;
	readonly sizeBytes: number;
	readonly trialBootsMax?: number;
	/** Called by rollBack(): the chip restarts. */
	readonly onRestart: () => void;
}

export class NorSlots implements Slots {
	readonly images: readonly Uint8Array[];
	readonly records: (BootRecord | undefined)[] = [undefined, undefined];
	/** Reads as erased or nearly, keeps nothing: partly erased, or programmed for an instant. */
	readonly weak = new Set<number>();
	runningIndex = 0;
	hasRollback = true;
	/** Programming or erasing what the code had no right to touch. */
	readonly violations: string[] = [];
	readonly #options: NorSlotsOptions;

	constructor(options: NorSlotsOptions) {
		this.#options = options;
		this.images = [0, 1].map(() => new Uint8Array(options.sizeBytes).fill(0xff));
	}

	/** As by cable: this image in slot 0, confirmed. */
	flash(image: Uint8Array): void {
		this.images[0]?.set(image);
		this.records[0] = { sequence: 1, state: "valid", trialBoots: 0 };
	}

	/** What bootloader and trial constructor do at a reset; false when there is nothing to boot. */
	boot(): boolean {
		for (let tries = 0; tries < 4; tries++) {
			const index = this.#active();
			const record = this.records[index];
			if (record?.state === "on-trial") {
				record.state = "aborted";
				continue;
			}
			if (!this.#isBootable(index)) {
				if (this.#isBootable(1 - index)) {
					this.runningIndex = 1 - index;
					return true;
				}
				return false;
			}
			this.runningIndex = index;
			if (record?.state === "new") {
				record.trialBoots++;
				record.state = record.trialBoots < this.trialBootsMax() ? "new" : "on-trial";
			}
			return true;
		}
		return false;
	}

	running(): SlotInfo {
		return this.#info(this.runningIndex);
	}

	spare(): SlotInfo {
		return this.#info(1 - this.runningIndex);
	}

	isOnTrial(): boolean {
		const record = this.records[this.runningIndex];
		return record?.state === "new" || record?.state === "on-trial";
	}

	trialBootsMax(): number {
		return this.#options.trialBootsMax ?? 3;
	}

	hasBootloaderRollback(): boolean {
		return this.hasRollback;
	}

	prepare(): void {
		this.#refuseOnTrial("prepare");
		const index = 1 - this.runningIndex;
		if (this.records[index] === undefined) return;
		this.#record("prepare", () => {
			this.records[index] = undefined;
		});
	}

	erase(offsetBytes: number, lengthBytes: number): void {
		this.#refuseOnTrial("erase");
		this.#checkRange(offsetBytes, lengthBytes);
		if (offsetBytes % SECTOR !== 0 || lengthBytes % SECTOR !== 0 || lengthBytes <= 0)
			throw new RangeError(`erase of ${lengthBytes} at ${offsetBytes}`);
		this.#refuseNamed("erase");
		const flash = this.#spareFlash();
		const isDone = this.#options.power.operate("erase", (isWhole) => {
			const end = offsetBytes + (isWhole ? lengthBytes : this.#halfSectors(lengthBytes));
			for (let at = offsetBytes; at < end; at += SECTOR) {
				flash.fill(0xff, at, at + SECTOR);
				this.weak.delete(at);
			}
			if (!isWhole) this.#weaken(flash, end);
		});
		if (!isDone) throw new FotaError("flash-failed", "ESP_ERR_FLASH_OP_FAIL");
	}

	write(offsetBytes: number, buffer: Uint8Array, bufferOffset: number, byteCount: number): void {
		this.#refuseOnTrial("write");
		this.#checkRange(offsetBytes, byteCount);
		this.#refuseNamed("write");
		const flash = this.#spareFlash();
		if (!this.#isWritable(offsetBytes, buffer.subarray(bufferOffset, bufferOffset + byteCount)))
			this.violations.push(`write at ${offsetBytes} not erased`);
		const isDone = this.#options.power.operate("program", (isWhole, mode) => {
			if (mode === "scattered") {
				const { seed, count } = this.#options.power;
				const torn = scattered(buffer.subarray(bufferOffset, bufferOffset + byteCount), seed * 7919 + count);
				for (const [i, byte] of torn.entries()) this.#program(flash, offsetBytes + i, byte);
				return;
			}
			// Half: every third cut dies before a bit shows it.
			const count = isWhole ? byteCount : this.#options.power.count % 3 === 0 ? 0 : byteCount >> 1;
			for (let i = 0; i < count; i++) this.#program(flash, offsetBytes + i, buffer[bufferOffset + i] ?? 0);
			if (isWhole) return;
			const torn = offsetBytes + count;
			if (count > 0) this.#program(flash, torn, (buffer[bufferOffset + count] ?? 0) | 0x0f);
			this.weak.add(torn - (torn % SECTOR));
		});
		if (!isDone) throw new FotaError("flash-failed", "ESP_ERR_FLASH_OP_FAIL");
	}

	read(offsetBytes: number, buffer: Uint8Array, bufferOffset: number, byteCount: number): void {
		this.#options.power.check();
		this.#checkRange(offsetBytes, byteCount);
		buffer.set(this.#spareFlash().subarray(offsetBytes, offsetBytes + byteCount), bufferOffset);
	}

	isErased(offsetBytes: number, lengthBytes: number): boolean {
		this.#options.power.check();
		this.#checkRange(offsetBytes, lengthBytes);
		const range = this.#spareFlash().subarray(offsetBytes, offsetBytes + lengthBytes);
		return Buffer.compare(range, ERASED.subarray(0, lengthBytes)) === 0;
	}

	verifyImage(): number {
		this.#options.power.check();
		return imageLength(this.#spareFlash());
	}

	activate(): void {
		this.#refuseOnTrial("activate", "activate-failed");
		try {
			imageLength(this.#spareFlash());
		} catch (cause) {
			throw new FotaError("activate-failed", "ESP_ERR_OTA_VALIDATE_FAILED", { cause });
		}
		const index = 1 - this.runningIndex;
		const sequence = Math.max(0, ...this.records.map((record) => record?.sequence ?? 0)) + 1;
		this.#record("activate", () => {
			this.records[index] = { sequence, state: "new", trialBoots: 0 };
		});
	}

	confirm(): void {
		if (!this.isOnTrial()) return;
		const record = this.records[this.runningIndex];
		this.#record("confirm", () => {
			if (record) record.state = "valid";
		});
	}

	canRollBack(): boolean {
		this.#options.power.check();
		const other = 1 - this.runningIndex;
		const state = this.records[other]?.state;
		return state !== "invalid" && state !== "aborted" && state !== undefined && this.#isBootable(other);
	}

	rollBack(): void {
		if (!this.canRollBack()) throw new FotaError("rollback-impossible", "ESP_ERR_OTA_ROLLBACK_FAILED");
		const record = this.records[this.runningIndex];
		this.#record("rollback", () => {
			if (record) record.state = "invalid";
		});
		this.#options.onRestart();
	}

	#info(index: number): SlotInfo {
		this.#options.power.check();
		const record = this.records[index];
		return {
			label: `ota_${index}`,
			sizeBytes: this.#options.sizeBytes,
			state: record?.state ?? "undefined",
			...imageFacts(this.images[index] ?? new Uint8Array()),
			trialBoots: record?.trialBoots ?? 0,
		};
	}

	#active(): number {
		const usable = [0, 1].filter((index) => {
			const state = this.records[index]?.state;
			return state !== undefined && state !== "invalid" && state !== "aborted";
		});
		const [first = 0, second] = usable;
		if (second === undefined) return first;
		return (this.records[second]?.sequence ?? 0) > (this.records[first]?.sequence ?? 0) ? second : first;
	}

	#isBootable(index: number): boolean {
		try {
			imageLength(this.images[index] ?? new Uint8Array());
			return true;
		} catch {
			return false;
		}
	}

	#spareFlash(): Uint8Array {
		return this.images[1 - this.runningIndex] ?? new Uint8Array();
	}

	#program(flash: Uint8Array, at: number, byte: number): void {
		// Bits that are clear already stay so: the same byte once more harms nothing.
		if (flash[at] === byte) return;
		const isWeak = this.weak.has(at - (at % SECTOR));
		// A weak sector takes what is programmed, but not all of it stays.
		flash[at] = (flash[at] ?? 0xff) & (isWeak && at % 64 === 0 ? byte & 0x7f : byte);
	}

	/** Erased, or to be programmed with what it holds already. */
	#isWritable(offsetBytes: number, bytes: Uint8Array): boolean {
		const flash = this.#spareFlash();
		return bytes.every((byte, i) => {
			const held = flash[offsetBytes + i];
			return held === 0xff || held === byte;
		});
	}

	#halfSectors(lengthBytes: number): number {
		return Math.floor(lengthBytes / 2 / SECTOR) * SECTOR;
	}

	#weaken(flash: Uint8Array, at: number): void {
		this.weak.add(at);
		// Half of the torn erases leave a mixture, half read as erased.
		const isMixed = this.#options.power.count % 2 === 0;
		for (let i = at; i < at + SECTOR; i++) flash[i] = isMixed ? (flash[i] ?? 0) | 0x55 : 0xff;
	}

	#record(what: string, change: () => void): void {
		const isDone = this.#options.power.operate("record", (isWhole) => {
			if (isWhole) change();
			// A record is rewritten by erasing it first; the other slot's stands.
			else if (what === "confirm" || what === "rollback") this.records[this.runningIndex] = undefined;
		});
		if (!isDone) throw new FotaError(what === "activate" ? "activate-failed" : "flash-failed", "ESP_FAIL");
	}

	#checkRange(offsetBytes: number, lengthBytes: number): void {
		if (offsetBytes < 0 || lengthBytes < 0 || offsetBytes + lengthBytes > this.#options.sizeBytes)
			throw new RangeError(`${lengthBytes} bytes at ${offsetBytes}`);
	}

	#refuseOnTrial(what: string, code: ErrorCode = "flash-failed"): void {
		this.#options.power.check();
		if (!this.isOnTrial()) return;
		this.violations.push(`${what} on trial`);
		throw new FotaError(code, "ESP_ERR_OTA_ROLLBACK_INVALID_STATE");
	}

	#refuseNamed(what: string): void {
		if (this.records[1 - this.runningIndex] === undefined) return;
		this.violations.push(`${what} in a slot that a record names`);
		throw new FotaError("flash-failed", "ESP_ERR_INVALID_STATE");
	}
}
