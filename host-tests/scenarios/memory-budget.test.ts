// The firmware in the memory that the chips' machine gives it, with a third of it left to the application: fixed heaps, in
// which a full one is a restart. What the manifests say is read from them; the SDK's own figures (8.2.3) are here.

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import type { DeviceAddress } from "../../cli/device/push-client.js";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { Rig } from "../support/rig.js";
import { addressOf } from "./push-rig.js";

interface Creation {
	readonly stack: number;
	readonly static?: number;
	readonly heap?: { readonly initial: number };
}

const manifest = JSON.parse(readFileSync(join(PROJECT_ROOT, "src/manifest.json"), "utf8")) as {
	readonly creation: Creation;
	readonly platforms: Readonly<
		Record<"esp32/esp32c3" | "esp32/esp32s3" | "esp32/nodemcu", { readonly creation: Creation }>
	>;
};

const SLOT_BYTES = 16;
/** creation of the SDK's targets nodemcu and esp32s3. */
const SDK_HEAP = { slots: 4928, chunkBytes: 78_848 };
/** One block for stack, slots and chunks: the esp32c3 target's. */
const SDK_C3_STATIC_BYTES = 94_208;

const OURS = 2 / 3;
const STACK_SLOTS = Math.floor(OURS * manifest.creation.stack);
const SLOTS = Math.floor(OURS * SDK_HEAP.slots);

function heapsOf(slots: number, chunkBytes: number): string[] {
	return [
		"--heap-slots",
		`${slots}`,
		"--heap-chunks",
		`${Math.floor(chunkBytes)}`,
		"--stack",
		`${STACK_SLOTS}`,
	];
}

/** What the block has beside the stack and so many slots. */
function chunksIn(blockBytes: number, slots: number): number {
	return blockBytes - (manifest.creation.stack + slots) * SLOT_BYTES;
}

const BUDGETS = [
	["two thirds of the heaps of an ESP32 or ESP32-S3", heapsOf(SLOTS, OURS * SDK_HEAP.chunkBytes)],
	[
		"two thirds of the block that the manifest gives an ESP32-C3",
		heapsOf(SLOTS, chunksIn(OURS * (manifest.platforms["esp32/esp32c3"].creation.static ?? 0), SLOTS)),
	],
	["the block that the SDK gives an ESP32-C3", heapsOf(SLOTS, chunksIn(SDK_C3_STATIC_BYTES, SLOTS))],
] as const;

/** Everything switched on. */
const SURROUNDINGS = {
	wifi: { ssid: "workshop", password: "correct horse" },
	led: { pin: 2, active: "high" },
	ntp: "127.0.0.1",
	hostname: "boiler",
} as const;
const ACCESS_POINT = ["--wifi", "workshop:correct horse"];

/** Two strangers ask, one question after another, until they are told to end. Returns how often they were answered. */
function askOn({ host, port }: DeviceAddress): { end(): void; readonly answerCount: number } {
	const asking = { isOver: false, answerCount: 0 };
	const askOnce = () =>
		new Promise<void>((resolve) => {
			const socket = connect(port, host, () => socket.write("GET /info HTTP/1.1\r\nHost: x\r\n\r\n"));
			socket.on("error", () => {});
			socket.once("data", () => {
				asking.answerCount += 1;
			});
			socket.once("close", () => resolve());
		});
	const ask = async () => {
		for (; !asking.isOver; await sleep(100)) await askOnce();
	};
	const end = () => {
		asking.isOver = true;
	};
	onTestFinished(end);
	void ask();
	void ask();
	return {
		end,
		get answerCount() {
			return asking.answerCount;
		},
	};
}

describe("memory", { timeout: 240_000 }, () => {
	test.each(BUDGETS)("an update from poll to confirmation fits into %s", async (_title, heaps) => {
		const rig = await Rig.open();
		const device = await rig.device({ settings: { chunkBytes: 4096 }, surroundings: SURROUNDINGS });
		await rig.publish("1.1.0");
		const result = await device.run({
			variant: "release",
			args: [...ACCESS_POINT, ...heaps],
			until: ["update 1.1.0 confirmed"],
		});
		expect(result.log).not.toContain("XS abort");
		expect(result.stats).toMatchObject({ end: "until", boots: 2 });
		const { slotsPeak, chunkBytesPeak, stackPeak } = result.stats?.xs ?? {};
		console.log(
			`slots ${slotsPeak}, chunks ${chunkBytesPeak} bytes, stack ${stackPeak} slots (garbage included)`,
		);
	});

	// Threat: whoever makes a firmware on trial restart three times has it rolled back.
	test("an update that strangers ask about, start of the trial included, fits into two thirds of the heaps that the manifest gives an ESP32 or ESP32-S3", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ settings: { chunkBytes: 4096 }, surroundings: SURROUNDINGS });
		await rig.publish("1.1.0");
		const { "esp32/nodemcu": esp32, "esp32/esp32s3": s3, "esp32/esp32c3": c3 } = manifest.platforms;
		expect(s3).toEqual(esp32);
		const slots = Math.floor(OURS * (esp32.creation.heap?.initial ?? 0));
		const chunkBytes = OURS * SDK_HEAP.chunkBytes;
		// A C3 has it only with the application's third.
		expect(chunksIn(c3.creation.static ?? 0, slots)).toBeGreaterThan(chunkBytes);
		const heaps = heapsOf(slots, chunkBytes);
		const process = await device.start({ variant: "release", args: [...ACCESS_POINT, ...heaps] });
		const strangers = askOn(await addressOf(process));
		await process.waitForLine("on trial 1 of");
		const answersBefore = strangers.answerCount;
		expect(answersBefore).toBeGreaterThan(0);
		await expect.poll(() => strangers.answerCount).toBeGreaterThan(answersBefore + 5);
		// Time follows the clock on the wall while somebody asks.
		strangers.end();
		await process.waitForLine("update 1.1.0 confirmed");
		const { stats, log } = await process.stop();
		expect(log).not.toContain("XS abort");
		expect(stats).toMatchObject({ boots: 2, resets: [{ reason: "SW" }] });
	});

	test("a heap a third smaller is too small: the measure can fail", async () => {
		const rig = await Rig.open();
		const device = await rig.device({ surroundings: SURROUNDINGS });
		const heaps = heapsOf(Math.floor(SLOTS / 2), OURS * SDK_HEAP.chunkBytes);
		const result = await device.run({
			variant: "release",
			args: [...ACCESS_POINT, ...heaps, "--max-boots", "3"],
			until: ["state DOWNLOADING"],
		});
		expect(result.log).toContain("XS abort: memory full");
	});
});
