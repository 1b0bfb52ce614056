// The server as a process: start, first-start token, signals, a start that cannot be.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { typescriptCommand } from "../support/typescript-process.js";

let folder: string;
let output: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "fota-main-test-"));
	output = "";
});
afterEach(async () => {
	if (child?.exitCode === null && child.signalCode === null) {
		child.kill("SIGKILL");
		await once(child, "exit");
	}
	await rm(folder, { recursive: true });
});

function start(environment: Record<string, string> = {}): ChildProcess {
	const [node, ...args] = typescriptCommand("server/main.ts");
	const process_ = spawn(node, args, {
		env: { PATH: process.env.PATH, HOST: "127.0.0.1", PORT: "0", FOTA_DATA: folder, ...environment },
	});
	for (const stream of [process_.stdout, process_.stderr]) {
		stream.on("data", (piece: Buffer) => {
			output += piece.toString();
		});
	}
	child = process_;
	return process_;
}

async function listeningUrl(): Promise<string> {
	// Most of it is the loading of modules, with all that else runs on the machine beside it.
	await expect.poll(() => output, { interval: 100, timeout: 200_000 }).toContain('"msg":"listening"');
	return /"url":"([^"]+)"/.exec(output)?.[1] ?? "";
}

describe("the server program", () => {
	it("starts, keeps its admin token out of the log, and stops on SIGTERM", async () => {
		const server = start();
		const url = await listeningUrl();
		expect((await fetch(`${url}/health`)).status).toBe(200);
		const token = (await readFile(join(folder, "admin-token"), "utf8")).trim();
		const headers = { authorization: `Bearer ${token}` };
		expect((await fetch(`${url}/api/cloud/fota/devices`, { headers })).status).toBe(200);
		expect(output).not.toContain(token);
		expect(output).toContain(`"data":"${folder}","admin_token":"${join(folder, "admin-token")}"`);
		expect(output).not.toContain("/health");
		expect((await stat(join(folder, "fota.db"))).mode & 0o077).toBe(0);
		server.kill("SIGTERM");
		expect(await once(server, "exit")).toEqual([0, null]);
		expect(output).toContain('"msg":"stopped"');
	});

	it("shows the first user's one-time password once, on standard error, and never in the log", async () => {
		const first = start();
		let shown = "";
		first.stderr?.on("data", (piece: Buffer) => {
			shown += piece.toString();
		});
		const url = await listeningUrl();
		await expect.poll(() => shown).toContain("password");
		const password = /password {2}([a-z0-9-]{27})/.exec(shown)?.[1] ?? "";
		expect(output.split(password)).toHaveLength(2);
		const login = await fetch(`${url}/api/auth/login`, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({ name: "admin", password }),
		});
		expect(await login.json()).toMatchObject({ must_change_password: true });
		expect(output).toContain('"msg":"audit log head"');
		first.kill("SIGTERM");
		await once(first, "exit");
		output = "";
		const second = start();
		await listeningUrl();
		second.kill("SIGTERM");
		await once(second, "exit");
		expect(output).not.toMatch(/password/);
	});

	it("says in one line why it cannot start", async () => {
		const server = start({ PORT: "many" });
		expect(await once(server, "exit")).toEqual([1, null]);
		expect(output).toBe("server not started: PORT is not a number from 0 to 65535\n");
	});

	it("says in one line which port somebody else has", async () => {
		const other = createServer().listen(0, "127.0.0.1");
		await once(other, "listening");
		const { port } = other.address() as AddressInfo;
		const server = start({ PORT: String(port) });
		expect(await once(server, "exit")).toEqual([1, null]);
		other.close();
		expect(output).toMatch(new RegExp(`^server not started: port ${port} is in use already.*PORT.*\n$`));
	});

	it("says in one line that another server has its data, until that one is gone, be it by a crash", async () => {
		const first = start();
		await listeningUrl();
		output = "";
		const second = start();
		expect(await once(second, "exit")).toEqual([1, null]);
		expect(output).toMatch(/^server not started: another server has .*server\.lock: stop it, .*\n$/);
		const ended = once(first, "exit");
		first.kill("SIGKILL");
		await ended;
		const third = start();
		await listeningUrl();
		third.kill("SIGKILL");
		await once(third, "exit");
	});

	it("says in one line that its database is none", async () => {
		await writeFile(join(folder, "fota.db"), "no database ".repeat(100));
		const server = start();
		expect(await once(server, "exit")).toEqual([1, null]);
		expect(output).toMatch(/^server not started: the database .*fota\.db cannot be opened: .*\n$/);
	});
});
