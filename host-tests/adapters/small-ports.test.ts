// Clock, timer, random, serial log, device and server address: the adapters of a few lines.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeCause } from "../../src/adapters/cause.js";
import { SystemClock } from "../../src/adapters/clock.js";
import { ChipDevice } from "../../src/adapters/device.js";
import { CryptoRandom } from "../../src/adapters/random.js";
import { LOG_TEXT_MAX_CHARS, SerialLog } from "../../src/adapters/serial-log.js";
import { hostHeader, numericAddress } from "../../src/adapters/server-address.js";
import { GuardedTimer } from "../../src/adapters/timer.js";
import { FotaError } from "../../src/protocol/error-codes.js";
import { describeContract } from "../contracts/on-node.js";
import { randomContract } from "../contracts/random.js";
import { timeContract } from "../contracts/time.js";
import { RecordingLog } from "../fakes/recording-log.js";
import { FakeTimer } from "./fake-timer.js";

describe("the clock", () => {
	it("follows the chip beyond 2^31 ms and never goes back", () => {
		const times = [5, 2 ** 31 - 1, 2 ** 31 + 1, 2 ** 31, 2 ** 32 + 7];
		const clock = new SystemClock({ uptimeMs: () => times.shift() ?? 0 });
		expect([1, 2, 3, 4, 5].map(() => clock.nowMs())).toEqual([
			5,
			2 ** 31 - 1,
			2 ** 31 + 1,
			2 ** 31 + 1,
			2 ** 32 + 7,
		]);
	});
});

describeContract("GuardedTimer over a fake timer", timeContract, () => {
	const timer = new FakeTimer();
	const log = new RecordingLog();
	const subject = {
		timer: new GuardedTimer({ timer, log }),
		clock: new SystemClock({ uptimeMs: () => timer.nowMs }),
		sleep: async (durationMs: number) => timer.advance(durationMs),
		caughtCount: () => log.lines.length,
	};
	return { subject };
});

describeContract("CryptoRandom over Node's", randomContract, () => {
	const random = new CryptoRandom({ random: (into) => void crypto.getRandomValues(into) });
	return { subject: { random } };
});

describe("the timer", () => {
	function open() {
		const timer = new FakeTimer();
		const log = new RecordingLog();
		return { timer, log, guarded: new GuardedTimer({ timer, log }) };
	}

	it("rounds a delay up", () => {
		const { timer, guarded } = open();
		const called: number[] = [];
		guarded.set(() => called.push(timer.nowMs), 0.2);
		timer.advance(1000);
		expect(called).toEqual([1]);
	});

	it("takes a clear of what is no timer", () => {
		const { guarded } = open();
		expect(guarded.clear(undefined)).toBeUndefined();
	});

	it("logs what a callback throws and lets nothing escape", () => {
		const { timer, guarded, log } = open();
		guarded.set(() => {
			throw new FotaError("flash-failed", "erase");
		}, 1);
		timer.advance(2);
		expect(timer.escaped).toEqual([]);
		expect(log.lines).toEqual(["error: in a timer: flash-failed: erase"]);
	});

	it.each([-5, 2 ** 40])("keeps a delay of %s within what the chip takes", (delayMs) => {
		const seen: number[] = [];
		const timer = { set: (_: () => void, ms: number) => seen.push(ms), clear: () => undefined };
		new GuardedTimer({ timer, log: new RecordingLog() }).set(() => undefined, delayMs);
		expect(seen[0]).toBe(delayMs < 0 ? 0 : 2 ** 31 - 1);
	});
});

describe("chance", () => {
	const drawing = (...draws: number[]) =>
		new CryptoRandom({ random: (into) => new DataView(into.buffer).setUint32(0, draws.shift() ?? 0) });

	it("stays below the bound", () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 1, max: 2 ** 32 }),
				fc.integer({ min: 0, max: 2 ** 32 - 1 }),
				(bound, draw) => {
					const value = drawing(draw).below(bound);
					return Number.isInteger(value) && value >= 0 && value < bound;
				},
			),
		);
	});

	it("draws again where a remainder would be likelier", () => {
		expect(drawing(2 ** 32 - 1, 7).below(3)).toBe(1);
		expect(drawing(2 ** 32 - 2, 7).below(3)).toBe(2);
		expect(drawing(2 ** 31 + 5, 2 ** 31).below(2 ** 31 + 1)).toBe(2 ** 31);
		expect(drawing(2 ** 32 - 1).below(2 ** 32)).toBe(2 ** 32 - 1);
		expect(drawing(123).below(1)).toBe(0);
	});

	it.each([0, -1, 1.5, Number.NaN, 2 ** 32 + 1])("refuses the bound %s", (bound) => {
		expect(() => drawing(0).below(bound)).toThrow(RangeError);
	});
});

describe("the serial log", () => {
	function logged(
		...entries: readonly (readonly ["info" | "warn" | "error" | "security", string])[]
	): string[] {
		const lines: string[] = [];
		const log = new SerialLog({
			system: { print: (line) => lines.push(line) },
			clock: { nowMs: () => 12_345.6 },
		});
		for (const [level, text] of entries) log.write(level, text);
		return lines;
	}

	it("writes lines like ESP-IDF's", () => {
		expect(logged(["info", "a"], ["warn", "b"], ["error", "c"], ["security", "d"])).toEqual([
			"I (12345) fota: a",
			"W (12345) fota: b",
			"E (12345) fota: c",
			"W (12345) fota: SECURITY d",
		]);
	});

	it("lets no text end a line, move the cursor or turn the writing", () => {
		const [line] = logged([
			"info",
			"a\r\nI (1) fota: fake\u001b[2J\u0000\u007f\u009b\u2028\u202e\u2066\ud800z",
		]);
		expect(line).toBe("I (12345) fota: a??I (1) fota: fake?[2J????????z".replace("????????z", "???????z"));
	});

	it("keeps letters of all languages", () => {
		expect(logged(["info", "zu heiß – 太热 😀"])).toEqual(["I (12345) fota: zu heiß – 太热 😀"]);
	});

	it("cuts what is too long", () => {
		const [line] = logged(["info", "y".repeat(100_000)]);
		expect(line).toBe(`I (12345) fota: ${"y".repeat(LOG_TEXT_MAX_CHARS)}...`);
		expect(logged(["info", "y".repeat(LOG_TEXT_MAX_CHARS)])[0]).toHaveLength(16 + LOG_TEXT_MAX_CHARS);
	});

	it("never holds a control character, whatever the text", () => {
		const texts = fc
			.array(fc.integer({ min: 0, max: 0x10_ffff }), { maxLength: 40 })
			.map((codes) => String.fromCodePoint(...codes));
		fc.assert(
			fc.property(texts, (text) =>
				// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
				logged(["info", text]).every((line) => !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(line)),
			),
		);
	});
});

describe("the device", () => {
	const device = (reason: number, chipId = 5) =>
		new ChipDevice({
			system: {
				resetReason: () => reason,
				chipId: () => chipId,
				restart: () => undefined,
				wasStorageErased: () => false,
				freeHeapMinimumBytes: () => 90_000,
			},
			deviceType: "inverter",
			version: "1.0.0",
		});

	const measuring = (rssiDbm: () => number | undefined, freeHeapMinimumBytes: () => number) =>
		new ChipDevice({
			system: {
				resetReason: () => 1,
				chipId: () => 5,
				restart: () => {},
				wasStorageErased: () => false,
				freeHeapMinimumBytes,
			},
			deviceType: "inverter",
			version: "1.0.0",
			rssiDbm,
		});

	it("takes leave of the network before it restarts, and restarts whatever comes of that", () => {
		const done: string[] = [];
		new ChipDevice({
			system: {
				resetReason: () => 1,
				chipId: () => 5,
				restart: () => void done.push("restart"),
				wasStorageErased: () => false,
				freeHeapMinimumBytes: () => 90_000,
			},
			deviceType: "inverter",
			version: "1.0.0",
			beforeRestart: () => {
				done.push("leave");
				throw new Error("no network");
			},
		}).restart();
		expect(done).toEqual(["leave", "restart"]);
	});

	it("names why it started as ESP-IDF does", () => {
		const names = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, -1].map((reason) => device(reason).resetReason);
		expect(names.join(" ")).toBe(
			"unknown poweron ext sw panic int_wdt task_wdt wdt deepsleep brownout cpu_lockup unknown unknown",
		);
	});

	it.each([
		[-70, 90_000, [-70, 90_000]],
		[0, 0, [0, 0]],
		[-128, 2 ** 32 - 1, [-128, 2 ** 32 - 1]],
		[1, -1, [undefined, undefined]],
		[-129, 2 ** 32, [undefined, undefined]],
		[-70.5, Number.NaN, [undefined, undefined]],
		[undefined, Number.POSITIVE_INFINITY, [undefined, undefined]],
	])("tells signal strength %s and memory %s as %j", (rssiDbm, bytes, told) => {
		const made = measuring(
			() => rssiDbm,
			() => bytes,
		);
		expect([made.rssiDbm(), made.memoryMinBytes()]).toEqual(told);
	});

	it("tells neither where asking throws", () => {
		const throwing = () => {
			throw new Error("closed");
		};
		const made = measuring(throwing, throwing);
		expect([made.rssiDbm(), made.memoryMinBytes()]).toEqual([undefined, undefined]);
	});

	it("names its chip, and refuses one without releases", () => {
		expect([0, 5, 9].map((chipId) => device(1, chipId).chip)).toEqual(["esp32", "esp32c3", "esp32s3"]);
		expect(() => device(1, 13)).toThrow("chip 13");
	});
});

describe("the server's address", () => {
	it.each([
		["192.0.2.1", "192.0.2.1"],
		["255.255.255.255", "255.255.255.255"],
		["localhost", "127.0.0.1"],
		["fota.example", undefined],
		["256.0.0.1", undefined],
		["1.2.3", undefined],
		["01.2.3.4", undefined],
		["1.2.3.4.5", undefined],
	])("of %s is %s", (host, address) => {
		expect(numericAddress(host)).toBe(address);
	});

	it("leaves out HTTP's own port", () => {
		expect([hostHeader("a", 80), hostHeader("a", 8080)]).toEqual(["a", "a:8080"]);
	});
});

describe("what was thrown", () => {
	it("is described without a stack, whatever it is", () => {
		const causes = [
			new FotaError("storage-failed", "x"),
			new Error("y"),
			new RangeError(),
			"z",
			undefined,
			{ a: 1 },
		];
		expect(causes.map(describeCause)).toEqual([
			"storage-failed: x",
			"y",
			"RangeError",
			"z",
			"unknown fault",
			"unknown fault",
		]);
	});
});
