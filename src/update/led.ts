// What an LED shows of an update: pure. Used by adapters/led. It must not know pins or timers.
import type { LedSign, UpdateProgress } from "./ports.js";

const DARK: LedSign = { kind: "steady", isOn: false };
const BUSY: LedSign = { kind: "blink", halfMs: 500, blinkCount: undefined };
const ALARM: LedSign = { kind: "blink", halfMs: 100, blinkCount: 10 };
const STEP_PERCENT = 5;

/** Toggles at each 5 % of a download, blinks slowly through the rest of an update, rapidly ten times on its failure. */
export function ledSign(progress: UpdateProgress): LedSign {
	switch (progress.state) {
		case "DOWNLOADING":
			return { kind: "steady", isOn: Math.floor(progress.percent / STEP_PERCENT) % 2 === 1 };
		case "VERIFYING":
		case "WRITING":
		case "REBOOTING":
		case "BOOT_VERIFICATION":
			return BUSY;
		case "ROLLBACK":
		case "FAILED":
			return ALARM;
		default:
			return DARK;
	}
}
