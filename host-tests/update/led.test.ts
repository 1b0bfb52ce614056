// What an LED shows of an update, and how it does.
import { describe, expect, test } from "vitest";
import { Led } from "../../src/adapters/led.js";
import { DEVICE_STATES } from "../../src/protocol/status-report.js";
import { ledSign } from "../../src/update/led.js";
import { ManualTime } from "../fakes/manual-time.js";

const shown = (state: (typeof DEVICE_STATES)[number], percent = 0) => ledSign({ state, percent });

describe("the sign", () => {
	test("of a download toggles at each 5 %", () => {
		const signs = Array.from({ length: 101 }, (_, percent) => shown("DOWNLOADING", percent));
		const toggles = signs.flatMap((sign, percent) => {
			const before = signs[percent - 1];
			return before && JSON.stringify(before) !== JSON.stringify(sign) ? [percent] : [];
		});
		expect(toggles).toEqual(Array.from({ length: 20 }, (_, index) => 5 * (index + 1)));
	});

	test("of each other state is dark, slow or an alarm", () => {
		const kinds = Object.fromEntries(
			DEVICE_STATES.filter((state) => state !== "DOWNLOADING").map((state) => {
				const sign = shown(state);
				return [state, sign.kind === "steady" ? `${sign.isOn}` : `${sign.halfMs} ${sign.blinkCount}`];
			}),
		);
		expect(kinds).toEqual({
			IDLE: "false",
			CHECKING_MANIFEST: "false",
			VERIFYING: "500 undefined",
			WRITING: "500 undefined",
			REBOOTING: "500 undefined",
			BOOT_VERIFICATION: "500 undefined",
			ROLLBACK: "100 10",
			COMPLETED: "false",
			FAILED: "100 10",
		});
	});
});

describe("an LED", () => {
	function build() {
		const time = new ManualTime();
		const levels: string[] = [];
		const led = new Led({
			pin: { write: (value) => void levels.push(`${value}@${time.nowMs()}`) },
			timer: time,
		});
		return { time, levels, led };
	}

	test("blinks on and off for as long as it is to", () => {
		const { time, levels, led } = build();
		led.show(shown("VERIFYING"));
		time.advance(1200);
		expect(levels).toEqual(["1@0", "0@500", "1@1000"]);
		led.show(shown("IDLE"));
		time.advance(5000);
		expect(levels.slice(3)).toEqual(["0@1200"]);
		expect(time.pendingCount).toBe(0);
	});

	test("goes through its alarm although the device is idle at once, and then is dark", () => {
		const { time, levels, led } = build();
		led.show(shown("FAILED"));
		led.show(shown("IDLE"));
		time.advance(10_000);
		expect(levels.filter((level) => level.startsWith("1"))).toEqual(
			Array.from({ length: 10 }, (_, index) => `1@${200 * index}`),
		);
		expect(levels.at(-1)).toBe("0@1900");
		expect(time.pendingCount).toBe(0);
	});

	test("leaves its alarm for the next update", () => {
		const { time, levels, led } = build();
		led.show(shown("FAILED"));
		time.advance(350);
		led.show(shown("DOWNLOADING", 5));
		time.advance(5000);
		expect(levels.at(-1)).toBe("1@350");
	});
});
