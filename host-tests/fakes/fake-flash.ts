// The native flash module in memory: NOR rules, boot records as states, one data partition, and ESP-IDF's refusals by
// their names. It follows src/native/fota-flash.ts, not the C behind it, which runs in the simulator.

import type { FotaFlash } from "../../src/native/fota-flash.js";

const SECTOR_BYTES = 4096;
const DESCRIPTION_OFFSET_BYTES = 32;
const DESCRIPTION_BYTES = 256;
const UNDEFINED = 0xffff_ffff;

export interface FakeSlot {
	readonly label: string;
	readonly bytes: Uint8Array;
	state: number;
	trialBoots: number;
}

export interface FakeFlashOptions {
	readonly slotBytes: number;
	/** What the chip's image check says of a slot's bytes: a length, or undefined if it is no image. */
	readonly imageLength: (bytes: Uint8Array) => number | undefined;
}

export class FakeFlash implements FotaFlash {
	readonly slots: FakeSlot[];
	readonly data = new Map<string, Uint8Array>([["fota_id", new Uint8Array(2 * SECTOR_BYTES).fill(0xff)]]);
	runningSlot = 0;
	bootSlot = 0;
	restartCount = 0;
	trialBootsLimit = 3;
	isRollbackSupported = true;
	/** Thrown by the next call of that name, once. */
	readonly faults = new Map<string, Error>();
	readonly #imageLength: FakeFlashOptions["imageLength"];

	constructor(options: FakeFlashOptions) {
		this.#imageLength = options.imageLength;
		this.slots = ["ota_0", "ota_1"].map((label) => ({
			label,
			bytes: new Uint8Array(options.slotBytes).fill(0xff),
			state: UNDEFINED,
			trialBoots: 0,
		}));
	}

	slotCount(): number {
		return this.slots.length;
	}

	running(): number {
		this.#fail("running");
		return this.runningSlot;
	}

	boot(): number {
		return this.bootSlot;
	}

	next(): number {
		this.#fail("next");
		return 1 - this.runningSlot;
	}

	sizeBytes(slot: number): number {
		return this.#slot(slot).bytes.length;
	}

	label(slot: number): string {
		return this.#slot(slot).label;
	}

	state(slot: number): number {
		return this.#slot(slot).state;
	}

	prepare(slot: number): void {
		this.#fail("prepare");
		this.#refuseOnTrial();
		this.#slot(slot).state = UNDEFINED;
		this.#slot(slot).trialBoots = 0;
		this.bootSlot = this.runningSlot;
	}

	erase(slot: number, offsetBytes: number, lengthBytes: number): void {
		this.#fail("erase");
		this.#refuseNamed(slot);
		erase(this.#slot(slot).bytes, offsetBytes, lengthBytes);
	}

	write(slot: number, offsetBytes: number, buffer: Uint8Array, bufferOffset: number, count: number): void {
		this.#fail("write");
		this.#refuseNamed(slot);
		program(this.#slot(slot).bytes, offsetBytes, part(buffer, bufferOffset, count));
	}

	read(slot: number, offsetBytes: number, buffer: Uint8Array, bufferOffset: number, count: number): void {
		this.#fail("read");
		part(buffer, bufferOffset, count).set(part(this.#slot(slot).bytes, offsetBytes, count));
	}

	isErased(slot: number, offsetBytes: number, lengthBytes: number): boolean {
		this.#fail("isErased");
		return part(this.#slot(slot).bytes, offsetBytes, lengthBytes).every((byte) => byte === 0xff);
	}

	verify(slot: number): number {
		this.#fail("verify");
		const length = this.#imageLength(this.#slot(slot).bytes);
		if (length === undefined) throw new Error("ESP_ERR_IMAGE_INVALID");
		return length;
	}

	activate(slot: number): void {
		this.#fail("activate");
		this.#refuseOnTrial();
		if (this.#imageLength(this.#slot(slot).bytes) === undefined)
			throw new Error("ESP_ERR_OTA_VALIDATE_FAILED");
		this.#slot(slot).state = 0;
		this.#slot(slot).trialBoots = 0;
		this.bootSlot = slot;
	}

	confirm(): void {
		this.#fail("confirm");
		if (this.bootSlot !== this.runningSlot) throw new Error("ESP_ERR_INVALID_STATE");
		this.#slot(this.runningSlot).state = 2;
	}

	canRollBack(): boolean {
		this.#fail("canRollBack");
		const other = this.#slot(1 - this.runningSlot);
		return (
			this.bootSlot === this.runningSlot && other.state === 2 && this.#imageLength(other.bytes) !== undefined
		);
	}

	rollBack(_preferFactory: boolean): void {
		this.#fail("rollBack");
		if (!this.canRollBack()) throw new Error("ESP_ERR_OTA_ROLLBACK_FAILED");
		this.#slot(this.runningSlot).state = 3;
		this.bootSlot = 1 - this.runningSlot;
		this.restart();
	}

	isOnTrial(): boolean {
		const state = this.#slot(this.runningSlot).state;
		return this.bootSlot === this.runningSlot && (state === 0 || state === 1);
	}

	trialBoots(slot: number): number {
		return this.#slot(slot).trialBoots;
	}

	trialPowerBoots(_slot: number): number {
		return 0;
	}

	trialBootsMax(): number {
		return this.trialBootsLimit;
	}

	hasBootloaderRollback(): boolean {
		return this.isRollbackSupported;
	}

	description(slot: number, into: Uint8Array): boolean {
		const { bytes } = this.#slot(slot);
		if (bytes[0] !== 0xe9) return false;
		into.set(part(bytes, DESCRIPTION_OFFSET_BYTES, DESCRIPTION_BYTES));
		return true;
	}

	dataSizeBytes(label: string): number {
		return this.#partition(label).length;
	}

	dataRead(
		label: string,
		offsetBytes: number,
		buffer: Uint8Array,
		bufferOffset: number,
		count: number,
	): void {
		this.#fail("dataRead");
		part(buffer, bufferOffset, count).set(part(this.#partition(label), offsetBytes, count));
	}

	dataErase(label: string, offsetBytes: number, lengthBytes: number): void {
		this.#fail("dataErase");
		erase(this.#partition(label), offsetBytes, lengthBytes);
	}

	dataWrite(
		label: string,
		offsetBytes: number,
		buffer: Uint8Array,
		bufferOffset: number,
		count: number,
	): void {
		this.#fail("dataWrite");
		program(this.#partition(label), offsetBytes, part(buffer, bufferOffset, count));
	}

	/** What bootloader and trial constructor do: boots what the records name, counts a trial, gives up a spent one. */
	restart(): void {
		this.restartCount += 1;
		const booting = this.#slot(this.bootSlot);
		if (booting.state === 0 || booting.state === 1) {
			if (booting.trialBoots >= this.trialBootsLimit) {
				booting.state = 4;
				this.bootSlot = 1 - this.bootSlot;
			} else booting.trialBoots += 1;
		}
		this.runningSlot = this.bootSlot;
	}

	#slot(index: number): FakeSlot {
		const slot = this.slots[index];
		if (slot === undefined) throw new Error("ESP_ERR_NOT_FOUND");
		return slot;
	}

	#partition(label: string): Uint8Array {
		const bytes = this.data.get(label);
		if (bytes === undefined) throw new Error("ESP_ERR_NOT_FOUND");
		return bytes;
	}

	#refuseOnTrial(): void {
		if (this.isOnTrial()) throw new Error("ESP_ERR_OTA_ROLLBACK_INVALID_STATE");
	}

	#refuseNamed(slot: number): void {
		this.#refuseOnTrial();
		if (this.#slot(slot).state !== UNDEFINED) throw new Error("ESP_ERR_INVALID_STATE");
	}

	#fail(name: string): void {
		const fault = this.faults.get(name);
		this.faults.delete(name);
		if (fault !== undefined) throw fault;
	}
}

function part(bytes: Uint8Array, offset: number, count: number): Uint8Array {
	if (offset < 0 || count < 0 || offset + count > bytes.length) throw new RangeError("outside the partition");
	return bytes.subarray(offset, offset + count);
}

function erase(bytes: Uint8Array, offset: number, count: number): void {
	if (offset % SECTOR_BYTES !== 0 || count % SECTOR_BYTES !== 0) throw new RangeError("not whole sectors");
	part(bytes, offset, count).fill(0xff);
}

/** Programming only clears bits. */
function program(bytes: Uint8Array, offset: number, source: Uint8Array): void {
	const target = part(bytes, offset, source.length);
	for (let i = 0; i < source.length; i += 1) target[i] = (target[i] ?? 0) & (source[i] ?? 0);
}
