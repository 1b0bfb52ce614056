// The update server as a process of its own, as an operator starts it, for tests that end it in the way of a crash. It knows
// nothing of what is asked of the server.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { typescriptCommand } from "./typescript-process.js";

/** For `environment`: the admin's token. */
export const SERVER_TOKEN = "token-of-a-server-process";

export class ServerProcess {
	readonly url: string;
	readonly pid: number;
	readonly #child: ChildProcess;

	/** On a free port of the loopback. Whoever starts it kills it. */
	static async start(
		environment: Readonly<Record<string, string>>,
		/** Where its log goes. Default: nowhere. */
		options: { readonly logPath?: string } = {},
	): Promise<ServerProcess> {
		const [node, ...args] = typescriptCommand("server/main.ts");
		const own = { PATH: process.env.PATH, HOST: "127.0.0.1", PORT: "0", FOTA_ADMIN_TOKEN: SERVER_TOKEN };
		const { logPath } = options;
		const log = logPath === undefined ? "pipe" : openSync(logPath, "a");
		const child = spawn(node, args, { env: { ...own, ...environment }, stdio: ["ignore", log, "pipe"] });
		if (log !== "pipe") closeSync(log);
		let heard = "";
		for (const stream of [child.stdout, child.stderr])
			stream?.on("data", (piece: Buffer) => {
				heard += piece.toString();
			});
		const output = () => heard + (logPath === undefined ? "" : readFileSync(logPath, "utf8"));
		try {
			const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
			const isOver = () => output().includes('"msg":"listening"') || hasEnded();
			await expect.poll(isOver, { timeout: 200_000, interval: 50 }).toBe(true);
			expect(output()).toContain('"msg":"listening"');
		} catch (cause) {
			child.kill("SIGKILL");
			const end = child.signalCode ?? child.exitCode ?? "not at all";
			throw new Error(`the server did not start (it ended: ${end}):\n${output()}`, { cause });
		}
		return new ServerProcess(child, /"url":"([^"]+)"/.exec(output())?.[1] ?? "");
	}

	private constructor(child: ChildProcess, url: string) {
		this.#child = child;
		this.pid = child.pid ?? 0;
		this.url = url;
	}

	/** As a crash or a power cut does. Idempotent. */
	async kill(): Promise<void> {
		const child = this.#child;
		if (child.exitCode !== null || child.signalCode !== null) return;
		const ended = once(child, "exit");
		child.kill("SIGKILL");
		await ended;
	}
}
