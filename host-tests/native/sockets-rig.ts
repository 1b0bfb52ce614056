// A simulated device that runs a few lines of JavaScript over FotaSockets, and peers of this process: those that connect to
// it, and those that it connects to. Used by inbound*.test.ts and outbound*.test.ts.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import ts from "typescript";
import { expect, onTestFinished } from "vitest";
import { PROJECT_ROOT } from "../../cli/image/project-root.js";
import { Device, SIMULATOR } from "../simulator/device.js";

/** What the lines have: `sockets`, `buffer` (2048 bytes), `say`, `text(count)`, `outcome(act)`, `Timer`. */
const HEAD = `import Timer from "timer"; import { FotaSockets } from "native/fota-sockets";
const say = (...words) => trace(words.join(" ") + "\\n");
const sockets = new FotaSockets(), buffer = new Uint8Array(2048);
const text = (count) => String.fromCharCode(...buffer.subarray(0, count));
const outcome = (act) => { try { return act(); } catch (error) { return error.name + ": " + error.message; } };
`;

/**
 * What a device waits for, so that a test says when the device looks and no clock does: `onCue(act)` in its lines calls
 * `act` once give() was called, after all that peers had said by then has arrived.
 */
export class Cue {
	readonly lines: string;
	readonly #device: Promise<Socket>;

	static async open(): Promise<Cue> {
		const server = createServer().listen(0, "127.0.0.1");
		await once(server, "listening");
		onTestFinished(() => void server.close());
		const device = once(server, "connection").then(([socket]) => {
			onTestFinished(() => void socket.destroy());
			return socket.on("error", () => {}) as Socket;
		});
		return new Cue((server.address() as AddressInfo).port, device);
	}

	private constructor(port: number, device: Promise<Socket>) {
		this.#device = device;
		this.lines = `const onCue = (act) => {
			const handle = sockets.connect("127.0.0.1", ${port}), byte = new Uint8Array(1);
			const timer = Timer.repeat(() => {
				if (sockets.read(handle, byte, 0, 1) > 0) { Timer.clear(timer); Timer.set(act, 100); } }, 20); };`;
	}

	async give(): Promise<void> {
		(await this.#device).write("!");
	}
}

/** Listens and says back what it reads, to everybody; says when somebody is gone. */
export const ECHO = `sockets.listen(3232); const open = new Set();
Timer.repeat(() => {
	for (let handle; (handle = sockets.accept()) > 0; ) { open.add(handle); say("came", handle); }
	for (const handle of [...open]) {
		const count = sockets.read(handle, buffer, 0, 2048);
		if (count > 0) sockets.write(handle, buffer, 0, count);
		if (count < 0) { open.delete(handle); sockets.close(handle); say("gone", handle); }
	}
}, 20);`;

function transpiled(name: string): string {
	const source = readFileSync(join(PROJECT_ROOT, "src", `${name}.ts`), "utf8");
	const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
	return ts.transpileModule(source, { compilerOptions }).outputText;
}

/** One simulated device and its serial line, which is closed when the test is over. */
export class SocketsRig {
	serial = "";
	readonly #child: ChildProcess;
	readonly #ended: Promise<unknown>;

	constructor(lines: string, ...options: readonly string[]) {
		const modules = { main: HEAD + lines, "native/fota-sockets": transpiled("native/fota-sockets") };
		const device = new Device(modules);
		const args = ["run", "--flash", device.flash, "--max-wall-seconds", "200", ...options];
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
		const matcher = expect.poll(() => this.serial);
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

/** A port of this process that the device may connect to, and who has, until the test is over. */
export class Server {
	readonly peers: Peer[] = [];
	readonly #server = createServer({ allowHalfOpen: true }, (socket) => {
		this.peers.push(new Peer(socket));
		this.onPeer?.(this.peers.at(-1) as Peer);
	});
	onPeer: ((peer: Peer) => void) | undefined;

	static async open(onPeer?: (peer: Peer) => void): Promise<Server> {
		const server = new Server();
		server.onPeer = onPeer;
		await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
		onTestFinished(() => void server.close());
		return server;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	/** Whoever comes now is refused. */
	close(): void {
		this.#server.close();
	}

	/** The one that came with this number, from 0; waits for it. */
	async peer(number = 0): Promise<Peer> {
		await expect.poll(() => this.peers.length, { timeout: 15_000 }).toBeGreaterThan(number);
		return this.peers[number] as Peer;
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

	/** Resolves when the host's network stack has it. */
	writes(text: string): Promise<void> {
		return new Promise((resolve) => void this.socket.write(text, () => resolve()));
	}

	async hears(wanted: string): Promise<void> {
		await expect.poll(() => this.heard).toBe(wanted);
	}

	async becomes(state: Peer["state"]): Promise<void> {
		await expect.poll(() => this.state).toBe(state);
	}
}
