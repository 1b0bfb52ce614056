// The simulator's NVS under power cuts: after a cut at any operation of any write, compaction included, a key has its
// old or its new value, the other keys theirs, and writing goes on. And what a full partition does.
import { afterAll, describe, expect, test } from "vitest";
import { ModuleDevice, makeFlash } from "./xs-device.js";

const WRITES = 4;
// Hundreds of runs: on the optimised simulator.
const counting = new ModuleDevice(
	`
	import keyValue from "embedded:storage/key-value";
	export default function (print) {
		const store = keyValue.open({ path: "test", format: "string" });
		const other = keyValue.open({ path: "other", format: "uint32" });
		const stamp = other.read("stamp");
		if (stamp === undefined) other.write("stamp", 4000000000);
		const text = store.read("text") ?? "";
		print([text.length / 900, text === String.fromCharCode(64 + text.length / 900).repeat(text.length), stamp ?? 0]);
		for (let i = text.length / 900 + 1; i <= 3; i++) store.write("text", String.fromCharCode(64 + i).repeat(i * 900));
		for (let i = 0; i < ${WRITES}; i++) { store.write("text", "X".repeat(1800)); store.write("text", "C".repeat(2700)); }
		print("settled");
	}
`,
	[],
	"release",
);
const filling = new ModuleDevice(`
	import keyValue from "embedded:storage/key-value";
	export default function (print) {
		const store = keyValue.open({ path: "full", format: "string" });
		let count = 0, why;
		try { for (;;) { store.write("key" + count, "v".repeat(500)); count++; } } catch (error) { why = error.message; }
		print([count > 5, why, store.read("key0").length, store.read("key" + count) === undefined]);
		store.write("key0", "w".repeat(500));
		store.delete("key1");
		store.write("new", "n".repeat(400));
		print([store.read("key0")[0], store.read("key1") === undefined, store.read("new").length]);
	}
`);
afterAll(() => {
	counting.close();
	filling.close();
});

describe("NVS", () => {
	test("after a cut at any operation has the old or the new value", { timeout: 600_000 }, async () => {
		const clean = makeFlash({ ota_0: counting.image });
		counting.flash = clean;
		const { stats } = await counting.run();
		expect(stats.flash.ruleBreaks).toBe(0);
		for (let operation = 1; operation <= stats.flash.operations; operation += operation < 40 ? 1 : 3) {
			for (const moment of ["before", "half", "after"]) {
				counting.flash = clean;
				const cut = `${operation}:${moment}`;
				const { lines } = await counting.run("--cut", cut, "--until", "settled", "--max-boots", "4");
				expect(lines.at(-1), cut).toBe("settled");
				for (const line of lines.filter((text) => text.startsWith("[")))
					expect(line, cut).toMatch(/^\[(0,true,(0|4000000000)|[1-3],(true|false),4000000000)\]$/);
			}
		}
	});

	test("full, keeps what it has, refuses the rest and still takes changes", async () => {
		expect((await filling.run()).lines).toEqual([
			'[true,"ESP_ERR_NVS_NOT_ENOUGH_SPACE",500,true]',
			'["w",true,400]',
		]);
	});

	test("of garbage boots empty", async () => {
		const flash = makeFlash({ ota_0: filling.image });
		for (let offset = 0x9000; offset < 0xd000; offset++) flash[offset] = (offset * 7919) >> 3;
		filling.flash = flash;
		expect((await filling.run()).lines).toHaveLength(2);
	});
});
