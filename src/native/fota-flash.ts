/*
 * The application slots, their boot records (otadata) and our own data partitions,
 * as ESP-IDF sees them. Called by the adapters for the update ports. It must not
 * know what an update is: no policy, no retries, no network.
 *
 * Conventions of every method here:
 * - A slot is the index of an OTA application partition (0 for `ota_0`); −1 is the
 *   factory partition, where reading is meant.
 * - Offsets and lengths are bytes, relative to the partition. Each is checked in C;
 *   what lies outside throws RangeError and touches nothing.
 * - A refusal or fault of the flash throws Error; its message is ESP-IDF's name for
 *   it (`ESP_ERR_FLASH_OP_FAIL`, `ESP_ERR_OTA_VALIDATE_FAILED`, …).
 * - All calls block the JavaScript task: about 45 ms a sector erase, 150 ms a
 *   64 KiB block erase, 0.7 ms a 256-byte page.
 * - While the running image is on trial nothing may take its way back: prepare,
 *   erase, write and activate throw ESP_ERR_OTA_ROLLBACK_INVALID_STATE.
 */

/** State in a slot's boot record: ESP-IDF's esp_ota_img_states_t. */
export const SlotState = {
	/** Activated, not yet started; also a trial that has boots left. */
	New: 0,
	/** Started on trial; without a word from it the bootloader goes back. */
	PendingVerify: 1,
	/** Confirmed. */
	Valid: 2,
	/** Given up by the firmware itself; never booted again. */
	Invalid: 3,
	/** Given up by the bootloader; never booted again. */
	Aborted: 4,
	/** No record, or one that was never under supervision. */
	Undefined: 0xffffffff,
} as const;

/** Bytes of an esp_app_desc_t, as {@link FotaFlash.description} returns it. */
export const APP_DESCRIPTION_BYTES = 256;

/** Smallest unit that can be erased. */
export const SECTOR_BYTES = 4096;

export class FotaFlash {
	/** Number of OTA slots in the partition table. */
	slotCount(): number {
		return native("xs_fota_flash_slotCount").call(this);
	}

	/** Slot this code was loaded from; −1 for factory. */
	running(): number {
		return native("xs_fota_flash_running").call(this);
	}

	/** Slot the boot records name; not {@link running} if that image is damaged. −1: factory. */
	boot(): number {
		return native("xs_fota_flash_boot").call(this);
	}

	/** Slot an update is written to; never the running one. */
	next(): number {
		return native("xs_fota_flash_next").call(this);
	}

	sizeBytes(slot: number): number {
		return native("xs_fota_flash_sizeBytes").call(this, slot);
	}

	/** Partition label, such as `ota_0`. */
	label(slot: number): string {
		return native("xs_fota_flash_label").call(this, slot);
	}

	/** A value of {@link SlotState}, from the slot's boot record with the highest sequence number. */
	state(slot: number): number {
		return native("xs_fota_flash_state").call(this, slot);
	}

	/**
	 * Makes `slot` safe to be erased and written: afterwards the only boot record is one
	 * for the running slot, so a half-written image can never be chosen. Costs nothing if
	 * that is so already. Must precede the first erase; write and erase refuse a slot that
	 * a valid record names. After a reset at any point the running image boots again.
	 */
	prepare(slot: number): void {
		native("xs_fota_flash_prepare").call(this, slot);
	}

	/** Erases whole sectors (multiples of 4096), in 64 KiB blocks where aligned. After a reset: partly erased. */
	erase(slot: number, offsetBytes: number, lengthBytes: number): void {
		native("xs_fota_flash_erase").call(this, slot, offsetBytes, lengthBytes);
	}

	/** Programs erased flash from `buffer[bufferOffset … +count)`. After a reset: a prefix of it, perhaps one torn byte. */
	write(slot: number, offsetBytes: number, buffer: Uint8Array, bufferOffset: number, count: number): void {
		native("xs_fota_flash_write").call(this, slot, offsetBytes, buffer, bufferOffset, count);
	}

	/** Reads as the chip will execute it: decrypted. Any slot, −1 included. */
	read(slot: number, offsetBytes: number, buffer: Uint8Array, bufferOffset: number, count: number): void {
		native("xs_fota_flash_read").call(this, slot, offsetBytes, buffer, bufferOffset, count);
	}

	/**
	 * True if every byte of the range is 0xFF in the flash itself. Read raw, so that flash
	 * encryption does not hide erased sectors; no buffer needed.
	 */
	isErased(slot: number, offsetBytes: number, lengthBytes: number): boolean {
		return native("xs_fota_flash_isErased").call(this, slot, offsetBytes, lengthBytes);
	}

	/**
	 * The chip's own check of the image: header, chip, segments, checksum, appended hash,
	 * fits the slot. Returns its length in bytes; throws ESP_ERR_IMAGE_INVALID. Reads the
	 * whole image in one turn (about 0.5 s a MB): the watchdog must allow that.
	 */
	verify(slot: number): number {
		return native("xs_fota_flash_verify").call(this, slot);
	}

	/**
	 * Verifies the image again, then writes the boot record: from now on the bootloader
	 * starts this slot, on trial. After a reset during the call either the old or the new
	 * image boots, each complete. Does not restart.
	 */
	activate(slot: number): void {
		native("xs_fota_flash_activate").call(this, slot);
	}

	/**
	 * Ends the trial: the running image stays. No effect if it is not on trial. Throws
	 * ESP_ERR_INVALID_STATE if the active boot record is not the running slot's.
	 * A power cut between its erase and its write leaves the other slot's record alone: the
	 * former image boots; this one is intact in its slot and may be activated again.
	 */
	confirm(): void {
		native("xs_fota_flash_confirm").call(this);
	}

	/** True if {@link rollBack} would find a good image: the former slot's, or factory. Reads that whole image. */
	canRollBack(): boolean {
		return native("xs_fota_flash_canRollBack").call(this);
	}

	/**
	 * Marks the running image invalid and restarts into the former one; with
	 * `preferFactory`, into factory if a good image is there. Does not return; if there is
	 * nothing to go back to it throws ESP_ERR_OTA_ROLLBACK_FAILED and changes nothing.
	 */
	rollBack(preferFactory: boolean): void {
		native("xs_fota_flash_rollBack").call(this, preferFactory);
	}

	/** The running image is neither confirmed nor given up. */
	isOnTrial(): boolean {
		return native("xs_fota_flash_isOnTrial").call(this);
	}

	/**
	 * Starts on trial counted in the slot's boot record, whatever became of it since; for the
	 * running image on trial, this start included. A start after loss of power counts apart
	 * (see {@link trialPowerBoots}). An Aborted record with fewer than
	 * {@link trialBootsMax}() did not use them up: power failed within the first milliseconds
	 * of a start (or, at 0, the image never got as far as counting).
	 */
	trialBoots(slot: number): number {
		return native("xs_fota_flash_trialBoots").call(this, slot);
	}

	/** Starts on trial that followed a loss of power and were not held against the image; at most 8 are excused. */
	trialPowerBoots(slot: number): number {
		return native("xs_fota_flash_trialPowerBoots").call(this, slot);
	}

	/**
	 * Trial boots an image has: 3, or 1 under flash encryption, where the counter cannot
	 * be kept. The bootloader ends the trial after the last. If it lacks rollback
	 * (see {@link hasBootloaderRollback}) and trialBoots() of the running slot exceeds this, the caller must roll back.
	 */
	trialBootsMax(): number {
		return native("xs_fota_flash_trialBootsMax").call(this);
	}

	/**
	 * False if the bootloader on this chip was seen to start a new image without putting it
	 * on trial: it was flashed without rollback support and cannot be changed over the air.
	 * Shown by a trial boot and kept in the boot record; true while nothing is known.
	 */
	hasBootloaderRollback(): boolean {
		return native("xs_fota_flash_hasBootloaderRollback").call(this);
	}

	/**
	 * Copies the slot's raw esp_app_desc_t ({@link APP_DESCRIPTION_BYTES} bytes) into `into`.
	 * False, and `into` untouched, if no image with a description begins there. Says nothing
	 * about the rest of the image.
	 */
	description(slot: number, into: Uint8Array): boolean {
		return native("xs_fota_flash_description").call(this, slot, into);
	}

	/** Size of the data partition `label`. Only our own (subtype 0x06, or 0x40 and above); else ESP_ERR_NOT_FOUND. */
	dataSizeBytes(label: string): number {
		return native("xs_fota_flash_dataSizeBytes").call(this, label);
	}

	dataRead(
		label: string,
		offsetBytes: number,
		buffer: Uint8Array,
		bufferOffset: number,
		count: number,
	): void {
		native("xs_fota_flash_dataRead").call(this, label, offsetBytes, buffer, bufferOffset, count);
	}

	dataErase(label: string, offsetBytes: number, lengthBytes: number): void {
		native("xs_fota_flash_dataErase").call(this, label, offsetBytes, lengthBytes);
	}

	dataWrite(
		label: string,
		offsetBytes: number,
		buffer: Uint8Array,
		bufferOffset: number,
		count: number,
	): void {
		native("xs_fota_flash_dataWrite").call(this, label, offsetBytes, buffer, bufferOffset, count);
	}
}
