// Rollouts where anything happens at any moment: chaos-rig.ts says what, and what must hold all the same. More of it:
// FOTA_CHAOS_SEEDS="1 2 3" FOTA_CHAOS_STEPS=500 in the environment.
import { afterEach, describe, it } from "vitest";
import { Chaos } from "./chaos-rig.js";

/** 30 and 46 found devices that kept a withdrawn release: they were out of service when it was rolled back. */
const SEEDS = (process.env.FOTA_CHAOS_SEEDS ?? "1 30 46").split(" ").map(Number);
const STEPS = Number(process.env.FOTA_CHAOS_STEPS ?? 120);

describe("rollouts where anything happens at any moment", () => {
	let chaos: Chaos | undefined;
	afterEach(async () => {
		await chaos?.close();
		chaos = undefined;
	});

	it.each(SEEDS)("stay true to what the devices went through, and come to an end (seed %i)", async (seed) => {
		chaos = await Chaos.start(seed);
		for (let step = 0; step < STEPS; step++) {
			await chaos.step();
			if (step % 20 === 19) await chaos.check();
		}
		await chaos.calmDown();
		await chaos.check();
		await chaos.checkCalm();
	});
});
