// A pseudo-terminal that stands for a serial port: what a program writes to its path arrives here, and the other way
// round. The program behind it is compiled by the test that opens the first one.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export class Pty {
	readonly #child: ChildProcess;
	/** Where programs open it. */
	readonly path: string;

	/** `folder` takes the compiled program. */
	static async open(folder: string, onBytes: (bytes: Uint8Array) => void): Promise<Pty> {
		const program = join(folder, "pty");
		const source = join(import.meta.dirname, "pty.c");
		const args = ["-O1", "-Wall", "-Wextra", "-Werror", "-o", program, source];
		const built = spawnSync("gcc", args, { encoding: "utf8" });
		if (built.status !== 0) throw new Error(`pty.c was not built:\n${built.stderr}`);
		const child = spawn(program, { stdio: "pipe" });
		const [line] = (await once(child.stderr, "data")) as [Buffer];
		child.stdout.on("data", onBytes);
		return new Pty(child, line.toString().trim());
	}

	private constructor(child: ChildProcess, path: string) {
		this.#child = child;
		this.path = path;
	}

	write(bytes: Uint8Array): void {
		this.#child.stdin?.write(bytes);
	}

	/** The cable is pulled: whoever has the port open loses it. */
	async close(): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		const ended = once(this.#child, "close");
		this.#child.kill();
		await ended;
	}
}
