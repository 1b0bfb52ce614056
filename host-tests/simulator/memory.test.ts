// What --measure-memory and the high-water marks say about an application whose use of memory is known.
import { describe, expect, it } from "vitest";
import { runModules } from "./device.js";

describe("memory figures", () => {
	it("tell idle from peak, live from garbage, and count slots as a chip does", async () => {
		const run = await runModules(
			{
				main: `import Timer from "timer"; import keyValue from "embedded:storage/key-value";
					let kept; const store = keyValue.open({ path: "s", format: "uint8" });
					const steps = [
						() => {}, () => {},
						() => { for (let i = 0; i < 50; i++) new ArrayBuffer(4000); },
						() => { for (let i = 0; i < 200; i++) store.write("k" + i % 2, i % 256); }, // fills pages of NVS: it erases
						() => { kept = new ArrayBuffer(8000); },
						() => { let list; for (let i = 0; i < 100; i++) list = { list }; kept = [kept, list]; },
						() => { kept = undefined; },
						() => trace("end\\n"),
					];
					Timer.repeat(() => steps.shift()(), 10);`,
			},
			"--fast",
			"--measure-memory",
			"--until",
			"end",
		);
		const { xs } = run.stats;
		expect(run.code, run.serial + run.said).toBe(0);
		// 8000 bytes and 100 objects of two slots, less the functions that have run and gone.
		const above = xs.livePeakBytes - xs.idleBytes;
		expect(above).toBeGreaterThan(8000 + 200 * 16 - 1000);
		expect(above).toBeLessThan(8000 + 200 * 16 + 500);
		expect(xs.chunkBytesPeak).toBeGreaterThan(xs.livePeakChunkBytes);
		expect(xs.nativePeakBytes).toBeGreaterThan(0);
		expect(xs.nativePeakBytes).toBeLessThan(1000);
		expect(xs.idleMinimumBytes).toBeLessThanOrEqual(xs.idleBytes);
	});
});
