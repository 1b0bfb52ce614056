// The firmware in the memory that the chips' machine gives it, with a third of it left to the application: fixed heaps, in
// which a full one is a restart. What the manifests say is read from them; the SDK's own figures (8.2.3) are here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { Rig } from "../support/rig.js";

interface Creation {
	readonly stack: number;
	readonly static?: number;
}

const manifest = JSON.parse(readFileSync(join(PROJECT_ROOT, "src/manifest.json"), "utf8")) as {
	readonly creation: Creation;
	readonly platforms: { readonly "esp32/esp32c3": { readonly creation: Creation } };
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
