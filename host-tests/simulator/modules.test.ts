// The simulator's XS: archives, imports, timers, time, native classes, key-value storage.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Device, runModules, SIMULATOR } from "./device.js";

const PRINT = `const say = (...x) => trace(x.join(" ") + "\\n");`;

describe("modules of an image", () => {
	it("runs the entry, resolves relative imports and calls the default export", async () => {
		const run = await runModules(
			{
				main: `import { b } from "./a/b.js"; export default function () { trace("hello " + b + "\\n"); }`,
				"a/b": `import c from "../c.js"; import { d } from "./d.js"; export const b = "b" + c + d;`,
				"a/d": `export const d = "d";`,
				c: `export default "c";`,
			},
			"--until",
			"hello bcd",
		);
		expect(run.code, run.serial).toBe(0);
		expect(run.stats.until).toBe("hello bcd");
		expect(run.stats.xs.codeBytes).toBeGreaterThan(100);
	});

	it("restarts with the reason when a module is missing", async () => {
		const run = await runModules({ main: `import "./nowhere.js";` }, "--max-boots", "2");
		expect(run.code).toBe(5);
		expect(run.serial).toContain("nowhere");
		expect(run.stats.resets.map((reset: { reason: string }) => reset.reason)).toEqual(["SW", "SW"]);
	});

	it("panics on a damaged archive instead of running it", async () => {
		const device = new Device({ main: `trace("hello\\n");` });
		try {
			const payload = device.compile({ main: `trace("hello\\n");` });
			for (const at of [5, 9, 20, 24, payload.length - 1]) {
				const damaged = Uint8Array.from(payload);
				damaged[at] = (damaged[at] ?? 0) ^ 0x10;
				const flash = readFileSync(device.flash);
				flash.set(device.image(damaged), 0x20000);
				writeFileSync(device.flash, flash);
				const run = await device.run("--max-boots", "1");
				expect(run.serial).toContain("no application in ota_0");
				expect(run.stats.resets[0].reason).toBe("PANIC");
			}
		} finally {
			device.close();
		}
	});

	it("names file and line of a syntax error", () => {
		expect(() => new Device({ main: "let x = ;" })).toThrow(/module-0\.js:1/);
	});

	it("explains itself", () => {
		const help = execFileSync(SIMULATOR, ["run", "--help"], { encoding: "utf8" });
		expect(help).toContain("--cut N:before|half|after");
	});
});

describe("timer and time", () => {
	it.each([
		{ time: "virtual time", options: ["--fast"], leastMs: 0 },
		{ time: "virtual time that takes its time", options: ["--pace", "60"], leastMs: 990 },
	])("fires in order, repeats, reschedules and clears, in $time", async ({ options, leastMs }) => {
		const beginMs = performance.now();
		const run = await runModules(
			{
				main: `import Timer from "timer"; import Time from "time"; ${PRINT}
					Timer.set(() => say("third", Time.ticks), 60000);
					Timer.set(() => say("first", Time.ticks));
					let count = 0;
					const repeating = Timer.repeat((id) => { say("tick", Time.ticks, id === repeating); if (++count === 3) Timer.clear(repeating); }, 1000);
					const cleared = Timer.set(() => say("never"), 10); Timer.clear(cleared); Timer.clear(cleared); Timer.clear({});
					const moved = Timer.set(() => say("moved", Time.ticks), 10); Timer.schedule(moved, 5000);
					Timer.set(() => { Timer.delay(500); say("delayed", Time.ticks); }, 7000);
					Promise.resolve().then(() => say("job"));
					say("ticks", Time.ticks, Time.delta(Time.ticks));
					Timer.set(() => say("end"), 60001);`,
			},
			...options,
			"--until",
			"end",
		);
		const lines = run.serial.split("\n").slice(3, -1);
		expect(lines).toEqual([
			"ticks 0 0",
			"job",
			"first 0",
			"tick 1000 true",
			"tick 2000 true",
			"tick 3000 true",
			"moved 5000",
			"delayed 7500",
			"third 60000",
			"end",
		]);
		expect(run.stats.virtualMs).toBe(60001);
		expect(performance.now() - beginMs).toBeGreaterThanOrEqual(leastMs);
	});

	it("keeps the wall clock over a restart but not over a power cut, and lets it jump", async () => {
		const run = await runModules(
			{
				main: `import Timer from "timer"; import Time from "time"; ${PRINT}
					say("wall", Math.floor(Date.now() / 1000));
					if (Date.now() < 1e12) { Time.set(1700000000); Timer.set(() => { throw new Error("again"); }, 1000); }
					else Timer.set(() => say("jumped", Math.floor(Date.now() / 1000), Time.ticks), 10000);`,
			},
			"--fast",
			"--until",
			"jumped",
			"--clock-jump",
			"5:+3600",
		);
		expect(run.serial).toContain("wall 0\n");
		expect(run.serial).toContain("wall 1700000001\n");
		expect(run.serial).toContain("jumped 1700003611 10000");
	});
});

describe("native classes", () => {
	it("gives host objects that carry fields, private fields and methods", async () => {
		const run = await runModules(
			{
				main: `${PRINT}
					class A extends Native("xs_key_value_destructor") {
						#secret = 42; field = "f";
						constructor(path) { super(); native("xs_key_value_open").call(this, { path, format: "string" }); }
						get secret() { return this.#secret; }
						close() { native("xs_key_value_close").call(this); }
						write(k, v) { native("xs_key_value_write").call(this, k, v); }
						read(k) { return native("xs_key_value_read").call(this, k); }
					}
					class B extends A { #more = 7; get sum() { return this.#more + this.secret; } }
					const b = new B("space"); b.write("key", "value");
					say(b instanceof A, b.field, b.sum, b.read("key"));
					b.close(); b.close();
					try { b.read("key"); } catch (e) { say("closed:", e.message); }
					try { native("xs_nothing"); } catch (e) { say(e.name, e.message); }
					try { class C extends Native("xs_no_destructor") {} } catch (e) { say(e.name, e.message); }
					try { native("xs_key_value_read").call({}, "key"); } catch (e) { say("wrong this:", e.name); }
					try { native("xs_udp_read").call(new A("x")); } catch (e) { say("wrong class:", e.name); }
					for (let i = 0; i < 200; i++) { new A("space" + i % 3); new ArrayBuffer(100000); }
					say("end");`,
			},
			"--until",
			"end",
		);
		expect(run.code, run.serial).toBe(0);
		const lines = run.serial.split("\n").slice(3, -1);
		expect(lines).toEqual([
			"true f 49 value",
			expect.stringContaining("closed:"),
			"ReferenceError native: there is no C function xs_nothing",
			"ReferenceError Native: there is no C destructor xs_no_destructor",
			"wrong this: SyntaxError",
			"wrong class: SyntaxError",
			"end",
		]);
		// 200 storages were dropped without close(): their destructors ran, else no handle would be left.
		expect(run.stats.xs.nativePeakBytes).toBeLessThan(400);
	});
});

describe("key-value storage", () => {
	it("keeps values by type and over restarts, with the chip's errors", async () => {
		const run = await runModules(
			{
				main: `import keyValue from "embedded:storage/key-value"; ${PRINT}
					const text = keyValue.open({ path: "state", format: "string" });
					const number = keyValue.open({ path: "state", format: "uint32" });
					const bytes = keyValue.open({ path: "state", format: "buffer" });
					const attempt = (what) => { try { return what(); } catch (e) { return e.name + ": " + e.message; } };
					if (text.read("greeting") === undefined) {
						text.write("greeting", "hällo"); number.write("count", 4000000000);
						bytes.write("blob", Uint8Array.of(1, 2, 3));
						throw new Error("restart");
					}
					say(text.read("greeting"), number.read("count"), new Uint8Array(bytes.read("blob")).join());
					say(attempt(() => text.read("blob")));
					say(attempt(() => number.read("greeting")));
					say(attempt(() => text.write("a-key-of-sixteen", "x")));
					say([...text].sort().join());
					text.delete("greeting"); text.delete("greeting"); say(text.read("greeting"));
					say(attempt(() => { for (let i = 0; ; i++) bytes.write("k" + i, new Uint8Array(1000)); }));
					say("count", number.read("count"));
					say(attempt(() => keyValue.open({ path: "state", mode: "r" }).write("k", Uint8Array.of(1))));
					say("end");`,
			},
			"--until",
			"end",
		);
		expect(run.code, run.serial + run.said).toBe(0);
		expect(run.serial.split("\n").slice(-10, -1)).toEqual(
			[
				"hällo 4000000000 1,2,3",
				"TypeError: mismatch",
				"",
				"Error: ESP_ERR_NVS_KEY_TOO_LONG",
				"blob,count,greeting",
				"",
				"Error: ESP_ERR_NVS_NOT_ENOUGH_SPACE",
				"count 4000000000",
				"Error: read-only",
				"end",
			].slice(-9),
		);
		expect(run.stats.boots).toBe(2);
		expect(run.stats.flash.nvsWrites).toBeGreaterThan(3);
	});
});
