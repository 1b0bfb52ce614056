// Pins that an LED is refused at, chip by chip.
import { expect, test } from "vitest";
import { refusalOfLedPin } from "../../src/adapters/led-pin.js";

const PINS = Array.from({ length: 49 }, (_, pin) => pin);

test.each([
	{ chip: "esp32", flash: [6, 7, 8, 9, 10, 11], highest: 39 },
	{ chip: "esp32c3", flash: [12, 13, 14, 15, 16, 17], highest: 21 },
	{ chip: "esp32s3", flash: [26, 27, 28, 29, 30, 31, 32], highest: 48 },
] as const)("an $chip has its LED at no pin of the flash, and at none above $highest", (row) => {
	const { chip, flash, highest } = row;
	const refused = (reason: string) => PINS.filter((pin) => refusalOfLedPin(chip, pin) === reason);
	expect(refused("the flash hangs on it")).toEqual(flash);
	expect(refused("the chip has no such pin")).toEqual(PINS.slice(highest + 1));
	expect(PINS.filter((pin) => refusalOfLedPin(chip, pin) === undefined)).toHaveLength(
		highest + 1 - flash.length,
	);
});
