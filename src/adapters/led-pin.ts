// Which pins of a chip an LED must not hang on. Pure. Used by composition/led, before the SDK sees the pin. It must not
// know what an LED shows.

import type { Chip } from "../protocol/release-statement.js";

interface ChipPins {
	/** GPIO number. */
	readonly highest: number;
	/** Pins that the flash hangs on: to drive one stops the chip, at every start, until a cable mends it. */
	readonly flash: readonly [first: number, last: number];
}

const PINS: Readonly<Record<Chip, ChipPins>> = {
	esp32: { highest: 39, flash: [6, 11] },
	esp32c3: { highest: 21, flash: [12, 17] },
	esp32s3: { highest: 48, flash: [26, 32] },
};

/** Why not, or undefined. That a pin is an input only, the SDK says itself. */
export function refusalOfLedPin(chip: Chip, pin: number): string | undefined {
	const { highest, flash } = PINS[chip];
	// The SDK's Digital takes the number modulo 32 on a chip with one bank of pins: 44 would drive 12, a pin of the flash.
	if (pin > highest) return "the chip has no such pin";
	return pin >= flash[0] && pin <= flash[1] ? "the flash hangs on it" : undefined;
}
