// `fota monitor` on a serial port, ended as a person ends it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Pty } from "../../support/pty.js";
import { startFota } from "../../support/run-fota.js";

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-monitor-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test("prints what the board says, and ends with 0 on Ctrl+C", async () => {
	const pty = await Pty.open(folder, () => {});
	const monitor = startFota(["monitor", "--port", pty.path, "--no-restart"]);
	// Until the port is open, nobody hears what is said.
	const says = () => {
		pty.write(new TextEncoder().encode("\x1b[32mI (5) fota: here\x1b[0m\r\n"));
		return monitor.out().includes("I (5) fota: here\n");
	};
	await expect.poll(says).toBe(true);
	expect(monitor.out()).not.toContain("\x1b");
	expect(monitor.signal("SIGINT")).toBe(true);
	// A second one is the system's again.
	expect(monitor.signal("SIGINT")).toBe(false);
	expect(await monitor.over).toMatchObject({
		code: 0,
		error: `fota: listening on ${pty.path} at 115200; Ctrl+C ends\n`,
	});
	await pty.close();
});
