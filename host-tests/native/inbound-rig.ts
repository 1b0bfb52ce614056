// A simulated device that runs a few lines of JavaScript over FotaInbound, and peers of this process that connect to it.
// Used by inbound*.test.ts.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import ts from "typescript";
import { expect, onTestFinished } from "vitest";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { Device, SIMULATOR } from "../simulator/device.js";

/** What the lines have: `inbound`, `buffer` (2048 bytes), `say`, `text(count)`, `outcome(act)`, `Timer`. */
const HEAD = `import Timer from "timer"; import { FotaInbound } from "native/fota-inbound";
const say = (...words) => trace(words.join(" ") + "\\n");
const inbound = new FotaInbound(), buffer = new Uint8Array(2048);
const text = (count) => String.fromCharCode(...buffer.subarray(0, count));
const outcome = (act) => { try { return act(); } catch (error) { return error.name + ": " + error.message; } };
`;

/** Listens and says back what it reads, to everybody; says when somebody is gone. */
export const ECHO = `inbound.listen(3232); const open = new Set();
Timer.repeat(() => {
	for (let handle; (handle = inbound.accept()) > 0; ) { open.add(handle); say("came", handle); }
	for (const handle of [...open]) {
		const count = inbound.read(handle, buffer, 0, 2048);
		if (count > 0) inbound.write(handle, buffer, 0, count);
		if (count < 0) { open.delete(handle); inbound.close(handle); say("gone", handle); }
	}
}, 20);`;

function transpiled(name: string): string {
	const source = readFileSync(join(PROJECT_ROOT, "src", `${name}.ts`), "utf8");
	const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
	return ts.transpileModule(source, { compilerOptions }).outputText;
}

/** One simulated device and its serial line, which is closed when the test is over. */
export class InboundRig {
	serial = "";
	readonly #child: ChildProcess;
	readonly #ended: Promise<unknown>;

	constructor(lines: string, ...options: readonly string[]) {
		const modules = { main: HEAD + lines, "native/fota-inbound": transpiled("native/fota-inbound") };
		const device = new Device(modules);
		const args = ["run", "--flash", device.flash, "--max-wall-seconds", "60", ...options];
		this.#child = spawn(SIMULATOR, args);
		this.#child.stdout?.on("data", (piece: Buffer) => (this.serial += piece.toString()));
		this.#child.stderr?.on("data", (piece: Buffer) => (this.serial += piece.toString()));
		this.#ended = new Promise((resolve) => this.#child.once("close", resolve));
		onTestFinished(async () => {
			await this.stop();
			device.close();
		});
	}

	/** Ends it and looks that nothing went wrong in its C. */
	async stop(): Promise<void> {
		if (this.#child.exitCode === null) this.#child.kill("SIGTERM");
		await this.#ended;
		expect(this.serial).not.toMatch(/Sanitizer|runtime error|for ever|assert failed/);
	}

	async says(wanted: string | RegExp): Promise<void> {
		const matcher = expect.poll(() => this.serial, { timeout: 15_000 });
		await (typeof wanted === "string" ? matcher.toContain(wanted) : matcher.toMatch(wanted));
	}

	async port(): Promise<number> {
		await this.says(/sim: tcp 3232 is 127\.0\.0\.1:\d+\n/);
		return Number(/sim: tcp 3232 is 127\.0\.0\.1:(\d+)/.exec(this.serial)?.[1]);
	}

	async dial(): Promise<Peer> {
		const socket = connect({ port: await this.port(), host: "127.0.0.1", allowHalfOpen: true });
		const peer = new Peer(socket);
		await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
		return peer;
	}
}

export class Peer {
	readonly socket: Socket;
	heard = "";
	/** "open", "ended" by the device, or "reset" by it. */
	state: "open" | "ended" | "reset" = "open";

	constructor(socket: Socket) {
		this.socket = socket;
		socket.on("data", (piece) => (this.heard += piece.toString("latin1")));
		socket.on("end", () => (this.state = "ended"));
		socket.on("error", () => (this.state = "reset"));
		onTestFinished(() => void socket.destroy());
	}

	async hears(wanted: string): Promise<void> {
		await expect.poll(() => this.heard, { timeout: 15_000 }).toBe(wanted);
	}

	async becomes(state: Peer["state"]): Promise<void> {
		await expect.poll(() => this.state, { timeout: 15_000 }).toBe(state);
	}
}
