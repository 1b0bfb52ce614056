// The natives as a compiler for 32 bits sees them, where int, long and pointers have the chip's sizes. Without ESP-IDF
// it cannot link; it can find what does not fit.
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";

const run = promisify(execFile);

test("every native compiles for 32 bits without a warning", async () => {
	const xs = join(PROJECT_ROOT, "build/xs/package/moddable/xs");
	const { stdout } = await run("make", ["-s", "-C", "simulator", "natives-32bit", `XS_DIR=${xs}`], {
		cwd: PROJECT_ROOT,
	});
	const natives = readdirSync(join(PROJECT_ROOT, "src/native")).filter((name) => name.endsWith(".c"));
	expect(stdout.trim().split("\n").sort()).toEqual(natives.sort());
});
