// What set-up says where everything is there. Of its parts only the packages are looked at: the rest may be building.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");

test.each([
	["says that it is ready to who asked for set-up alone", "setup", /(^|\n)set-up: ready\n$/],
	["says nothing of it before a program", "fota", /^(?![\s\S]*ready)/],
])("set-up %s", (_what, script, said) => {
	const env = { ...process.env, npm_lifecycle_event: script };
	const options = { cwd: ROOT, env, encoding: "utf8" } as const;
	const { status, stdout, stderr } = spawnSync("bash", ["scripts/setup.sh", "--server"], options);
	expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
	expect(stderr).toMatch(said);
});
