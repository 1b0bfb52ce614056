/*
 * The chip itself: why it started, restarting it, its serial line, its name and age.
 * Called by the adapters and the composition root. It must not know about updates.
 */

/** Why the chip started: ESP-IDF's esp_reset_reason_t. */
export const ResetReason = {
	Unknown: 0,
	PowerOn: 1,
	ExternalPin: 2,
	/** esp_restart: wanted, or the end of a fatal error in JavaScript. */
	Software: 3,
	Panic: 4,
	InterruptWatchdog: 5,
	TaskWatchdog: 6,
	OtherWatchdog: 7,
	DeepSleep: 8,
	BrownOut: 9,
} as const;

export class FotaSystem {
	/** A value of {@link ResetReason}, or another of esp_reset_reason_t. Fixed during a run. */
	resetReason(): number {
		return native("xs_fota_system_resetReason").call(this);
	}

	/** Restarts the chip now; does not return. Close sockets first. */
	restart(): void {
		native("xs_fota_system_restart").call(this);
	}

	/** One line on the serial port, newline added; in release builds too, where `trace` is silent. */
	print(text: string): void {
		native("xs_fota_system_print").call(this, text);
	}

	/** esp_chip_id_t this firmware was built for, as image headers carry it: 0 ESP32, 5 C3, 9 S3, 13 C6. */
	chipId(): number {
		return native("xs_fota_system_chipId").call(this);
	}

	/** Milliseconds since this start; does not jump, does not wrap. */
	uptimeMs(): number {
		return native("xs_fota_system_uptimeMs").call(this);
	}

	/** ESP-IDF the firmware was built with, such as `v6.0.2`. */
	idfVersion(): string {
		return native("xs_fota_system_idfVersion").call(this);
	}

	/** Native heap free now, outside the XS machine. */
	freeHeapBytes(): number {
		return native("xs_fota_system_freeHeapBytes").call(this);
	}

	/** Least native heap that was free since the start, outside the XS machine. */
	freeHeapMinimumBytes(): number {
		return native("xs_fota_system_freeHeapMinimumBytes").call(this);
	}

	/**
	 * This start found key-value storage (NVS) unusable and erased it, since the chip would
	 * have restarted for ever otherwise. What was kept there is gone; worth a report.
	 */
	wasStorageErased(): boolean {
		return native("xs_fota_system_wasStorageErased").call(this);
	}
}
