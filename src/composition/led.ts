// Builds the LED that shows updates, where the identity names a pin. Called by main.ts alone.

import Digital from "embedded:io/digital";
import { describeCause } from "../adapters/cause.js";
import { Led } from "../adapters/led.js";
import { refusalOfLedPin } from "../adapters/led-pin.js";
import type { Chip } from "../protocol/release-statement.js";
import type { LedSettings } from "../protocol/surroundings.js";
import { ledSign } from "../update/led.js";
import type { Log, Timer, UpdateObserver } from "../update/ports.js";

export interface LedParts {
	readonly settings: LedSettings | undefined;
	readonly chip: Chip;
	readonly timer: Timer;
	readonly log: Log;
}

/** None, or the LED. A pin that cannot be is said, and the device does without. */
export function createLedObservers(parts: LedParts): readonly UpdateObserver[] {
	const { settings, chip, timer, log } = parts;
	if (settings === undefined) return [];
	try {
		const refusal = refusalOfLedPin(chip, settings.pin);
		if (refusal !== undefined) throw new Error(refusal);
		const activeLow = settings.active === "low";
		const pin = new Digital({ pin: settings.pin, mode: Digital.Output, activeLow, initialValue: 0 });
		const led = new Led({ pin, timer });
		return [{ updateMoved: (progress) => led.show(ledSign(progress)) }];
	} catch (cause) {
		log.write("error", `no LED at pin ${settings.pin}: ${describeCause(cause)}`);
		return [];
	}
}
