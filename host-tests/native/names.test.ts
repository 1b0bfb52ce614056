// FotaNames on XS, under AddressSanitizer, over lwip's resolver as the simulator has it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { runModules } from "../simulator/device.js";

/** What main has: `say`, `Timer`, `Time`, `names`, and `told(name)`, which says name, address and when, once it is known. */
const HEAD = `import { FotaNames } from "native/fota-names"; import Timer from "timer"; import Time from "time";
	const say = (...x) => trace("say " + x.join(" ") + "\\n"); const names = new FotaNames(); const startMs = Time.ticks;
	const outcome = (act) => { try { return act(); } catch (e) { return e.name + ": " + e.message; } };
	const told = (name) => { const handle = names.ask(name);
		const timer = Timer.repeat(() => { const address = names.answer(handle); if (address === undefined) return;
			Timer.clear(timer); say(name, "=", address, Math.floor((Time.ticks - startMs) / 1000)); }, 10); };
`;

async function said(main: string, ...options: readonly string[]): Promise<string[]> {
	const source = readFileSync(join(PROJECT_ROOT, "src/native/fota-names.ts"), "utf8");
	const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
	const native = ts.transpileModule(source, { compilerOptions }).outputText;
	const modules = { main: HEAD + main, "native/fota-names": native };
	const run = await runModules(modules, "--fast", "--max-boots", "1", "--max-seconds", "30", ...options);
	expect(run.said).not.toContain("Sanitizer");
	return [...run.serial.matchAll(/^say (.*)$/gm)].map(([, text = ""]) => text);
}

describe("a name", () => {
	it("is answered when it is known, whatever was asked before it, and as none when nobody knows it", async () => {
		const main = `for (const name of ["a.example", "b.example", "localhost", "10.1.2.3"]) told(name);`;
		expect(await said(main, "--resolve", "b.example=192.0.2.1")).toEqual([
			"localhost = 127.0.0.1 0",
			"10.1.2.3 = 10.1.2.3 0",
			"b.example = 192.0.2.1 0",
			"a.example =  4",
		]);
	});

	it("that is an address is answered without a network, others are none", async () => {
		const main = `told("192.0.2.7"); told("b.example");`;
		const options = ["--network-down", "0-100", "--resolve", "b.example=192.0.2.1"];
		expect(await said(main, ...options)).toEqual(["192.0.2.7 = 192.0.2.7 0", "b.example =  4"]);
	});

	it("cannot be asked before there is an interface: the network stack would abort", async () => {
		expect(await said(`say(names.ask("a.example"));`, "--wifi", "net")).toEqual(["0"]);
	});

	it("that is never answered keeps its place and nobody else's; a fifth is not asked", async () => {
		const main = `for (let count = 0; count < 3; count++) names.ask("a.example");
			const last = names.ask("b.example"); say(last, names.ask("c.example"));
			Timer.set(() => { say(names.answer(1), names.answer(last), names.answer(last) === ""); told("b.example"); }, 1000);`;
		const options = ["--resolve", "a.example=never", "--resolve", "b.example=192.0.2.1"];
		expect(await said(main, ...options)).toEqual(["4 0", " 192.0.2.1 true", "b.example = 192.0.2.1 1"]);
	});

	it("that is too long, or a handle that is none, is refused before lwip sees it", async () => {
		const main = `say(outcome(() => names.ask("a".repeat(254)))); say(names.ask("a".repeat(253)));
			for (const wrong of [0, -1, 1.5, NaN, "x", undefined]) say(outcome(() => names.answer(wrong)));
			say(names.answer(77) === "");`;
		const lines = await said(main);
		expect(lines[0]).toMatch(/Error/);
		expect(lines.slice(1)).toEqual([
			"1",
			...Array.from({ length: 6 }, () => "RangeError: not in range"),
			"true",
		]);
	});
});
