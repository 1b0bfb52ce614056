// `fota monitor` as a process, ended as a person ends it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PROJECT_ROOT } from "../../../cli/image/project-root.js";
import { Pty } from "../../support/pty.js";

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-monitor-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test("prints what the board says, and ends with 0 on Ctrl+C", { timeout: 60_000 }, async () => {
	const pty = await Pty.open(folder, () => {});
	const tsx = join(PROJECT_ROOT, "node_modules", ".bin", "tsx");
	const args = [join(PROJECT_ROOT, "cli", "main.ts"), "monitor", "--port", pty.path, "--no-restart"];
	const monitor = spawn(tsx, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
	const over = once(monitor, "close");
	let out = "";
	let error = "";
	monitor.stdout.on("data", (text: Buffer) => {
		out += text.toString();
	});
	monitor.stderr.on("data", (text: Buffer) => {
		error += text.toString();
	});
	// Until the port is open, nobody hears what is said.
	const says = () => {
		pty.write(new TextEncoder().encode("\x1b[32mI (5) fota: here\x1b[0m\r\n"));
		return out.includes("I (5) fota: here\n");
	};
	await expect.poll(says, { timeout: 30_000 }).toBe(true);
	expect(out).not.toContain("\x1b");
	monitor.kill("SIGINT");
	expect(await over).toEqual([0, null]);
	expect(error).toBe("");
	await pty.close();
});
