// How a boot of the simulated chip ends, and what the next one is told: aborts, panics, watchdog, memory, power.
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Device, type DeviceRun, runModules } from "./device.js";

const reasons = (run: DeviceRun): string[] =>
	run.stats.resets.map((reset: { reason: string }) => reset.reason);

describe("an application that fails", () => {
	it.each([
		["an exception at start", `throw new TypeError("boom");`, "unhandled exception"],
		["an exception in a timer", `Timer.set(() => { undefined.x; });`, "unhandled exception"],
		[
			"a rejection nobody handles",
			`Promise.reject(new Error("lost")); Timer.repeat(() => new ArrayBuffer(200000), 10);`,
			"unhandled rejection",
		],
		["endless recursion", `const f = (x) => 1 + f(x); f(1);`, "stack overflow"],
	])("restarts as software reset after %s", async (_name, source, message) => {
		const run = await runModules({ main: `import Timer from "timer"; ${source}` }, "--fast", "--boots", "2");
		expect(run.code, run.serial).toBe(0);
		expect(run.serial).toContain(`XS abort: ${message}`);
		expect(run.serial).toContain("rst:0x3 (SW_RESET), boot 2");
		expect(reasons(run)).toEqual(["SW", "SW"]);
	});

	it("restarts when a fixed heap is full, as many slots and bytes into it as on a chip", async () => {
		const slots = await runModules(
			{ main: `let list, n = 0; for (;;) { list = { list }; if (++n % 50 === 0) trace("n" + n + "\\n"); }` },
			"--heap-slots",
			"2000",
			"--heap-chunks",
			"65536",
			"--boots",
			"1",
		);
		expect(slots.serial).toContain("XS abort: memory full");
		const lastCount = Math.max(...[...slots.serial.matchAll(/^n(\d+)$/gm)].map((match) => Number(match[1])));
		// Two slots an object, some for the module itself.
		expect(lastCount).toBeGreaterThan(700);
		expect(lastCount).toBeLessThan(1000);
		const chunks = await runModules(
			{
				main: `const list = []; for (;;) { list.push(new ArrayBuffer(1000)); trace("n" + list.length + "\\n"); }`,
			},
			"--heap-slots",
			"4000",
			"--heap-chunks",
			"65536",
			"--boots",
			"1",
		);
		expect(chunks.serial).toContain("XS abort: memory full");
		expect(chunks.serial).toContain("n55\n");
		expect(chunks.serial).not.toContain("n66\n");
		expect(chunks.stats.xs.chunkBytesPeak).toBeLessThanOrEqual(65536 + 1024);
	});

	it("is ended by the watchdog when it never gives the processor back", async () => {
		const run = await runModules({ main: `for (;;);` }, "--watchdog-ms", "500", "--boots", "2");
		expect(reasons(run)).toEqual(["TASK_WDT", "TASK_WDT"]);
		expect(run.serial.split("Task watchdog got triggered").length).toBe(3);
	});

	it("ends with the documented codes: boot loop, stuck, out of real time", async () => {
		const loop = await runModules({ main: `throw 1;` }, "--max-boots", "3");
		expect([loop.code, loop.stats.end, loop.stats.boots]).toEqual([5, "boot-loop", 3]);
		const idle = { main: `import Timer from "timer"; Timer.repeat(() => {}, 1000);` };
		const stuck = await runModules(idle, "--fast", "--max-seconds", "3600");
		expect([stuck.code, stuck.stats.end, stuck.stats.virtualMs]).toEqual([2, "stuck", 3_600_000]);
		const wall = await runModules(idle, "--max-wall-seconds", "0.3");
		expect([wall.code, wall.stats.end]).toEqual([3, "wall-time"]);
	});

	it("refuses wrong options with what was expected", async () => {
		const run = await runModules({ main: `` }, "--cut", "0:middle");
		expect(run.code).toBe(1);
		expect(run.said).toContain("expected N:before, N:half or N:after");
	});
});

describe("power", () => {
	const writer = {
		main: `import keyValue from "embedded:storage/key-value"; import Timer from "timer";
			const store = keyValue.open({ path: "s", format: "uint32" });
			let count = store.read("n") ?? 0; trace("start " + count + "\\n");
			Timer.repeat(() => { store.write("n", ++count); if (count === 10) trace("end\\n"); }, 10);`,
	};

	it("goes and comes back at any flash operation, and storage stays sound", async () => {
		const device = new Device(writer);
		try {
			const fresh = readFileSync(device.flash);
			const whole = await device.run("--fast", "--until", "end");
			const operations: number = whole.stats.flash.operations;
			expect(operations).toBeGreaterThan(10);
			for (let n = 1; n <= operations; n += 2) {
				for (const moment of ["before", "half", "after"]) {
					writeFileSync(device.flash, fresh);
					const run = await device.run("--fast", "--until", "end", "--cut", `${n}:${moment}`);
					expect(run.code, `cut ${n}:${moment}\n${run.serial}${run.said}`).toBe(0);
					expect(reasons(run)).toEqual(["POWERON"]);
					expect(run.stats.flash.ruleBreaks).toBe(0);
				}
			}
		} finally {
			device.close();
		}
	});

	it("stays off when asked, and browns out when asked", async () => {
		const off = await runModules(writer, "--fast", "--cut", "6:half", "--cut-stays-off");
		expect([off.code, off.stats.end]).toEqual([10, "cut"]);
		const brownout = await runModules(writer, "--fast", "--until", "end", "--brownout-at", "6:after");
		expect(reasons(brownout)).toEqual(["BROWNOUT"]);
	});
});
