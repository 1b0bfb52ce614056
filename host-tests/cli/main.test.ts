// The command line as a process of its own: what main.ts adds to program.ts, which all other tests run in their own process.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Pty } from "../support/pty.js";
import { typescriptCommand } from "../support/typescript-process.js";

type Fota = ChildProcessByStdio<null, Readable, Readable>;

let folder: string;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "xs-fota-process-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function start(...args: readonly string[]): Fota {
	const [node, ...before] = typescriptCommand("cli/main.ts");
	const child = spawn(node, [...before, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
	onTestFinished(() => void child.kill("SIGKILL"));
	return child;
}

async function outcome(child: Fota) {
	let out = "";
	let error = "";
	child.stdout.on("data", (text: Buffer) => (out += text.toString()));
	child.stderr.on("data", (text: Buffer) => (error += text.toString()));
	const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
	return { code, signal, out, error };
}

/** Resolves when the board's log arrives: before, the port is not open and nobody hears it. */
async function hears(child: Fota, pty: Pty): Promise<void> {
	let out = "";
	child.stdout.on("data", (text: Buffer) => (out += text.toString()));
	const says = () => {
		pty.write(new TextEncoder().encode("here\r\n"));
		return out.includes("here\n");
	};
	await expect.poll(says).toBe(true);
}

const listening = (pty: Pty) => `fota: listening on ${pty.path} at 115200; Ctrl+C ends\n`;

describe("the process", () => {
	test("prints its help and ends with 0", async () => {
		const { code, out, error } = await outcome(start("--help"));
		expect({ code, error }).toEqual({ code: 0, error: "" });
		expect(out).toMatch(/^Usage: fota [\s\S]*\n {2}publish [\s\S]*Exit codes:/);
	});

	test("ends with the command's exit code, errors on standard error alone", async () => {
		const lost = await outcome(start("status", "--server", "http://127.0.0.1:9", "--token", "x"));
		expect(lost).toMatchObject({ code: 3, out: "" });
		expect(lost.error).toMatch(/^fota: no answer from http:\/\/127\.0\.0\.1:9/);
		expect(await outcome(start("nothing"))).toMatchObject({
			code: 1,
			error: expect.stringMatching(/unknown command/),
		});
	});

	test("is ended by Ctrl+C where no command listens for it", async () => {
		const silent = createServer().listen(0, "127.0.0.1");
		onTestFinished(() => void silent.close());
		await once(silent, "listening");
		const { port } = silent.address() as AddressInfo;
		const child = start("status", "--server", `http://127.0.0.1:${port}`, "--token", "x");
		await once(silent, "connection");
		child.kill("SIGINT");
		expect(await outcome(child)).toMatchObject({ code: null, signal: "SIGINT" });
	});

	test("tells the command that listens for it, which ends well", async () => {
		const pty = await Pty.open(folder, () => {});
		const child = start("monitor", "--port", pty.path, "--no-restart");
		const over = outcome(child);
		await hears(child, pty);
		child.kill("SIGINT");
		expect(await over).toMatchObject({ code: 0, signal: null, error: listening(pty) });
		await pty.close();
	});

	test("ends what would run for ever when the reader of its output has left", async () => {
		const pty = await Pty.open(folder, () => {});
		const child = start("monitor", "--port", pty.path, "--no-restart");
		const over = outcome(child);
		await hears(child, pty);
		child.stdout.destroy();
		pty.write(new TextEncoder().encode("nobody reads this\r\n"));
		expect(await over).toMatchObject({ code: 0, signal: null, error: listening(pty) });
		await pty.close();
	});

	test("goes on with what it has begun when the reader of its output has left", async () => {
		const child = start("keygen", "--out", "keys");
		child.stdout.destroy();
		expect(await outcome(child)).toMatchObject({ code: 0, error: "" });
		await access(join(folder, "keys", "release.key"));
	});
});
